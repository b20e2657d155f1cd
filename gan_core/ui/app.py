"""The whole page: its tabs and routes, how it is launched and ended.

It puts the parts together and owns what lives as long as the server: supervisor, run catalogue, hub, latent service.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

from starlette.middleware import Middleware

from ..compute.processes import raise_open_files_limit
from ..data.uploads import MAX_UPLOAD
from ..proxies import bypass_for_this_machine
from ..runs.supervisor import PROJECT, Supervisor
from . import api, containers, control_routes, exposure, live_routes, preview_routes, web_files
from .controls import Controls
from .forms import runs_tab, train_tab
from .forms.data_panel import FORM_CHANGED
from .forms.settings import translation_key, translations
from .gradio_import import gr
from .guard import Guard
from .hub import Hub
from .latent_service import LatentService
from .page import Page
from .preview_jobs import PreviewJobs
from .run_catalogue import RunCatalogue

QUEUE_INTERVAL = 0.02  # seconds between two looks for a new event


class Playground:
    """One page over one folder of runs. `defaults`: config values for every new run, from the command line.

    attach: paths of runs or folders of runs, or addresses. Raises Refusal for one that cannot be opened.
    """

    def __init__(self, folder: Path, threads: int = 0, defaults: dict[str, Any] | None = None,
                 attach: list[str] | None = None) -> None:
        self.supervisor = Supervisor(folder, threads)
        self.catalogue = RunCatalogue(self.supervisor, PROJECT / "checkpoints")
        self.controls = Controls(self.catalogue, defaults)
        self.latent_service, self.preview_jobs = LatentService(), PreviewJobs()
        self.hub = Hub(self.catalogue, lambda: bool(getattr(getattr(self.demo, "server", None), "should_exit", False)))
        self.i18n = gr.I18n(**translations())
        self.demo = self._build()
        for place in attach or []:
            self.controls.attach(place)

    def _build(self) -> gr.Blocks:
        def t(name: str) -> Any:
            return self.i18n(translation_key(name))

        with Page(title="GAN Playground", fill_width=True, analytics_enabled=False, delete_cache=(3600, 3600)) as demo:
            demo.shown = self.catalogue.shown
            run_box = gr.Textbox(visible=False, elem_id="gan-run-box")
            lang_box = gr.Textbox(visible=False, elem_id="gan-lang-box")
            containers.bar()
            with gr.Tabs(selected="train") as tabs:
                with gr.Tab(t("tabs.train"), id="train"):
                    settings = train_tab.build(t, self.controls, self.preview_jobs, run_box, lang_box)
                with gr.Tab(t("tabs.runs"), id="runs") as runs:
                    runs_tab.build(t, self.controls, run_box, lang_box, tabs, runs)
            api.build(self.controls, self.latent_service)
            quiet: dict[str, Any] = {"queue": False, "api_visibility": "private"}
            recall = f"() => ganPage.call('keptForm', {len(settings.kept)})"  # after a change of language
            demo.load(None, None, settings.kept, js=recall, api_name="recall-form", **quiet).then(
                None, settings.inputs, None, js=FORM_CHANGED, api_name="preview-load", **quiet)
        demo.queue(max_size=64)
        if hasattr(demo._queue, "sleep_when_free"):  # gradio's own 0.001 takes up to 4% of a core while nobody does anything
            demo._queue.sleep_when_free = QUEUE_INTERVAL
        return demo

    def launch(self, host: str | None = None, port: int | None = None, share: bool | None = None,
               inbrowser: bool = False, quiet: bool = False, allowed: frozenset[str] = frozenset()) -> None:
        """Serve, and return while the server runs. None leaves gradio's own environment variables in force.

        allowed: names by which the page answers, as of `hosts.allowed_names`.
        """
        raise_open_files_limit()
        bypass_for_this_machine(host or os.environ.get("GRADIO_SERVER_NAME", ""))  # gradio asks its own page whether it is there
        # Strangers must not read this machine's folders.
        self.catalogue.public = exposure.is_public(host, share)
        self.controls.local_paths = not self.catalogue.public
        hosts = exposure.answered_hosts(allowed, host, share)
        routes = [*live_routes.routes(self.catalogue, self.hub, self.latent_service),
                  *preview_routes.routes(self.controls, self.preview_jobs),
                  *control_routes.routes(self.controls, self.preview_jobs), *web_files.routes()]
        self.demo.launch(
            server_name=host, server_port=port, share=share, inbrowser=inbrowser, quiet=quiet,
            prevent_thread_lock=True, theme=containers.theme(), i18n=self.i18n, ssr_mode=False,
            run_history=False, show_error=True, max_file_size=MAX_UPLOAD, state_session_capacity=500, footer_links=[],
            app_kwargs={"routes": routes, "middleware": [Middleware(Guard, hosts=hosts), Middleware(containers.HeadMiddleware)]})
        # After the page is served, because both take seconds of processor time.
        self.supervisor.warm()
        self.latent_service.start()

    def close(self) -> None:
        """Save and stop the active run, end the streams and the server; at most about 7 s."""
        self.hub.closed = True
        self.catalogue.external_runs.closed.set()
        ending = threading.Thread(target=self.demo.close, kwargs={"verbose": False}, daemon=True)
        ending.start()
        self.supervisor.close(timeout=6.0)
        self.preview_jobs.close()
        self.latent_service.close()
        ending.join(1.0)
