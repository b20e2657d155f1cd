"""The command: its flags, what it says when something is missing, and its end."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

import playground

ROOT = Path(__file__).parent.parent


def test_absent_flags_leave_gradios_own_variables_in_force():
    args = playground.arguments([])
    assert (args.host, args.port, args.share, args.device, args.seed) == (None,) * 5 and not args.open and args.threads == 0


@pytest.mark.parametrize("wrong", [["--port", "0"], ["--port", "70000"], ["--threads", "-1"], ["--seed", "-1"], ["--seed", "x"],
                                   ["--port", "abc"], ["--threads", "1.5"],
                                   ["--device", "moon"], ["--wings"]])
def test_a_wrong_flag_is_refused_with_what_is_allowed(wrong, capsys):
    with pytest.raises(SystemExit) as caught:
        playground.arguments(wrong)
    output = capsys.readouterr().err
    assert caught.value.code == 2 and wrong[0].lstrip("-") in output and output.count("\n") == 1


def test_a_wrong_port_in_gradios_variable_is_refused_like_a_flag(monkeypatch, capsys):
    monkeypatch.setenv("GRADIO_SERVER_PORT", "abc")
    with pytest.raises(SystemExit):
        playground.arguments([])
    assert capsys.readouterr().err.startswith("GRADIO_SERVER_PORT is abc; give a whole number from 1 to 65535")
    assert playground.arguments(["--port", "7999"]).port == 7999, "the flag is the one that counts"


@pytest.mark.parametrize("host", ["192.0.2.7", "2001:db8::1", "sheep.invalid", "x" * 70])
def test_a_host_that_is_not_this_machines_is_blamed_and_not_the_port(host):
    found = subprocess.run([sys.executable, "playground.py", "--host", host, "--port", "7999"], cwd=ROOT, capture_output=True,
                           text=True, timeout=60)
    assert found.returncode == 1 and found.stderr.count("\n") == 1 and "port" not in found.stderr.lower()
    assert found.stderr.startswith(f"--host is {host}, which is no address of this machine; give 127.0.0.1")


def test_a_port_that_is_taken_is_blamed_and_a_free_one_is_not():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        fault = playground.listening_fault("127.0.0.1", port)
        assert fault.startswith(f"--port is {port}, which another program uses at 127.0.0.1; give another one")
        assert playground.listening_fault("127.0.0.1", None) == ""
    assert [playground.listening_fault(host, port) for host in ("127.0.0.1", "localhost", "0.0.0.0")] == ["", "", ""]


def test_help_documents_every_flag(capsys):
    with pytest.raises(SystemExit):
        playground.arguments(["--help"])
    sentence = capsys.readouterr().out
    for flag in ("--host", "--port", "--share", "--open", "--allow-host", "--checkpoints", "--attach", "--device", "--threads",
                 "--seed"):
        assert flag in sentence


def test_a_missing_package_is_one_sentence_with_its_remedy():
    code = ("import sys, importlib.util; real = importlib.util.find_spec\n"
            "importlib.util.find_spec = lambda name, *a: None if name in ('bokeh', 'mlxtend') else real(name, *a)\n"
            "import playground; sys.argv = ['playground.py']; playground.main()")
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert found.returncode == 1 and found.stderr.count("\n") == 1
    assert "bokeh, mlxtend" in found.stderr and "pip install -r requirements.txt" in found.stderr


def test_every_requirement_is_among_the_packages_looked_for():
    wanted = {line.split(">")[0].strip().replace("-", "_") for line in (ROOT / "requirements.txt").read_text().split()}
    assert {name.replace("pillow", "PIL") for name in wanted} - {"pandas"} == set(playground.NEEDED)


def test_a_place_that_cannot_be_attached_is_one_sentence(tmp_path):
    argv = ["--checkpoints", str(tmp_path / "runs"), "--attach", str(tmp_path / "none")]
    code = ("import sys, playground\n"
            "sys.addaudithook(lambda event, args: print(args[0]) if event == 'open' else None)\n"
            f"sys.argv[1:] = {argv!r}; playground.main()")
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert found.returncode == 1 and found.stderr.count("\n") == 1 and f"There is no run at {tmp_path / 'none'}" in found.stderr
    assert "textbox.cpython" in found.stdout
    assert "textbox.pyi" not in found.stdout, "gradio makes type stubs, which takes half of the time of its import"


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c_while_the_page_is_loaded_ends_it_too(tmp_path):
    code = ("import signal, sys, types, playground\n"
            "class Loading(types.ModuleType):\n"
            "    def __getattr__(self, name): signal.raise_signal(signal.SIGINT); return type(name, (Exception,), {})\n"
            "page = types.SimpleNamespace(launch=lambda *_, **__: print('served'), close=lambda: print('closed'))\n"
            "app = types.ModuleType('app'); app.Playground = lambda *_: page\n"
            "sys.modules.update({'gan_core.ui.app': app, 'gan_core.ui.controls': Loading('controls')})\n"
            f"sys.argv[1:] = ['--checkpoints', {str(tmp_path)!r}]; playground.main()")
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (found.returncode, found.stdout, found.stderr) == (0, "served\nclosed\n", "")


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_sigterm_saves_the_run_ends_the_worker_and_leaves_with_0(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen([sys.executable, "playground.py", "--host", "127.0.0.1", "--port", str(port), "--threads", "1",
                               "--checkpoints", str(tmp_path)], cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).close()
                break
            except OSError:
                assert time.monotonic() < deadline and server.poll() is None
                time.sleep(0.1)
        from gradio_client import Client

        client = Client(f"http://127.0.0.1:{port}/", verbose=False)
        run = client.predict("quick", json.dumps({"batch_size": 2}), api_name="/start")["run"]
        while client.predict(api_name="/state")["step"] < 3:
            assert time.monotonic() < deadline + 60
        # An open stream must not hold the server back.
        stream = urllib.request.urlopen(f"http://127.0.0.1:{port}/gradio_api/gan/stream", timeout=30)
        stream.readline()
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0
    finally:
        if server.poll() is None:
            server.kill()
    status = json.loads((tmp_path / run / "status.json").read_text())
    assert status["state"] == "stopped" and status["checkpoint_step"] == status["step"] > 0
