"""The page: a Gradio app that reads run folders and sends commands; the only package that imports gradio.

It computes nothing that is shown: the worker writes the folder, `run_events` turns it into events, `hub` broadcasts them.
`app` puts the parts together, `controls` defines what each button does, `api` offers the same to programs.
"""
