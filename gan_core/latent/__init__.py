"""Driving a generator by its latent vector z: pictures of a z, the verdict on them, and directions worth a slider.

It reads the live file of a run and never trains. Exploring the latent space (maps, inversion, films) will live here too.
`driving` is what the sliders of the page use.
"""
