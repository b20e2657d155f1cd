"""Pictures of a latent vector z, the discriminator's opinion of them, and directions that suit a slider.

It reads the live file of a run and never trains. `view` serves the sliders of the page; exploring the latent space (maps,
inversion, films) will live here too.
"""
