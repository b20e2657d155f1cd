"""The page: a Gradio app that reads run folders and sends commands; the only package that imports gradio.

It computes nothing that is shown: the worker writes the folder, `feed` turns it into events, `hub` broadcasts them.
`app` is the table of contents, `controls` says what each button means, `api` offers the same to programs.
"""
