"""What knobs and the way back mean to the server: who may be asked, what is refused in whose words, what reaches the worker."""

import json
import os
import platform

import psutil
import pytest
from making import make_run

from gan_core.messages import message
from gan_core.runs import layout
from gan_core.runs.run import Run, RunError
from gan_core.runs.status import Status
from gan_core.runs.supervisor import WorkerBusy
from gan_core.runs.worker_note import write_worker_note
from gan_core.ui import words
from gan_core.ui.controls import WATCHED, Controls, Refusal
from gan_core.ui.forms import runs_tab
from gan_core.ui.refusal import unsaved


@pytest.fixture
def run(catalogue):
    """A run that says it is paused, by a worker that is this very process and never answers."""
    run = make_run(catalogue.folder, steps=1)
    status = run.stored_status()
    status.state, status.pid, status.pid_started = "paused", os.getpid(), psutil.Process().create_time()
    run.write_status(status)
    return run


def left(run, state, **fields):
    """The run, whose status says so."""
    status = run.stored_status()
    status.state = state
    for name, value in fields.items():
        setattr(status, name, value)
    run.write_status(status)
    return run


@pytest.fixture
def asked(monkeypatch):
    """What would have been sent to the worker, which obeys a stop."""
    sent = []

    def send(self, run, command, lang, timeout=0.0, **args):
        sent.append((command, args))
        return left(run, "stopped") if command == "stop" else run

    monkeypatch.setattr(Controls, "_send", send)
    return sent


def test_a_change_reaches_the_worker_of_the_run_that_is_meant(catalogue, run, asked):
    assert Controls(catalogue).tune('{"lr_d": 0.0005, "betas_g": [0.5, 0.9]}', run.id).id == run.id
    assert asked == [("tune", {"changes": {"lr_d": 0.0005, "betas_g": [0.5, 0.9]}})]


@pytest.mark.parametrize(("changes", "lang", "sentence"), [
    ('{"lr_d": 7}', "en", "Expert's learning rate is 7; give a number from 0 to 1."),
    ('{"batch_size": 0}', "fr", "Lot vaut 0\u00a0; donnez un nombre entier de 1 à 4\u202f096."),
    ('{"betas_d": [1]}', "en", "Expert's Adam betas: 1; give two numbers"),
    ('{"latent_dim": 3}', "en", "Size of z cannot change while a run trains; these can: Disguises, Batch"),
    ('{"ema_half_life": 0}', "fr", "Demi-vie de la moyenne (EMA) ne peut ni quitter 0 ni passer à 0"),
    ('{"wings": 3}', "en", "wings cannot change"), ("{}", "en", "nothing to change"), ("[1]", "en", "nothing to change"),
    ("{", "fr", "rien à changer"), ("[" * 5000, "en", "nothing to change")])
def test_a_bad_change_is_refused_by_the_labels_people_see_and_sent_to_nobody(catalogue, run, asked, changes, lang, sentence):
    with pytest.raises(Refusal) as caught:
        Controls(catalogue).tune(changes, run.id, lang, labels=True)
    assert sentence in str(caught.value) and asked == []


def test_programs_are_told_by_the_fields_own_names(catalogue, run, asked):
    with pytest.raises(Refusal, match=r"lr_d is 7; give a number from 0 to 1\."):
        Controls(catalogue).tune('{"lr_d": 7}')


def test_a_run_that_was_tuned_is_checked_as_it_is_now(catalogue, run, asked):
    status = run.stored_status()
    status.tuned = {"ema_half_life": 100.0}
    run.write_status(status)
    Controls(catalogue).tune('{"ema_half_life": 50}', run.id)
    assert asked[0][1] == {"changes": {"ema_half_life": 50}}


@pytest.mark.parametrize(("state", "kind"), [("finished", "run"), ("stopped", "run"), ("failed", "run"), ("finished", "starter")])
@pytest.mark.parametrize("lang", words.LANGUAGES)
def test_only_a_run_that_trains_can_be_tuned_and_only_one_with_a_best_taken_back(catalogue, asked, state, kind, lang):
    run = make_run(catalogue.folder if kind == "run" else catalogue.folder.parent / "shipped", kind=kind, steps=1, state=state)
    now = words.text(f"states.{'starter' if kind == 'starter' else state}", lang).lower()
    with pytest.raises(Refusal) as caught:
        Controls(catalogue).tune('{"lr_d": 0.1}', run.id, lang)
    assert str(caught.value) == words.text("errors.not_now", lang, state=now)
    with pytest.raises(Refusal) as caught:
        Controls(catalogue).restore(run.id, lang)
    sentence = words.text("errors.not_now", lang, state=now) if kind == "starter" else words.text("errors.no_best", lang)
    assert str(caught.value) == sentence
    assert asked == []


def test_an_unknown_run_is_said_to_be_unknown(catalogue):
    with pytest.raises(Refusal, match="no run called nobody"):
        Controls(catalogue).tune('{"lr_d": 0.1}', "nobody")
    with pytest.raises(Refusal):
        Controls(catalogue).restore()


def best_of(run, state):
    """The run with a best checkpoint, as far as its status says."""
    status = run.stored_status()
    status.state, status.best = state, {"step": 1, "name": "fd", "value": 9.0}
    if state == "stopped":
        status.pid = 0
    run.write_status(status)


def test_the_way_back_is_the_workers_where_one_lives(catalogue, run, asked):
    best_of(run, "paused")
    assert Controls(catalogue).restore(run.id).id == run.id and asked == [("restore", {})]


def test_what_the_worker_refuses_is_said_in_the_callers_language(catalogue, run, monkeypatch):
    answers = iter([message("command_steps"), {"key": "a key of another version", "values": {}}, ["rubbish"], None])
    status = run.stored_status()

    def obey(run, command, **args):
        answer = next(answers)
        fault = {} if answer is None else {"fault": answer}
        status.acknowledged = [{"id": "one", "command": command, "ok": False, "message": "Pause it first.", "step": 3, **fault}]
        run.write_status(status)
        return "one"

    monkeypatch.setattr(Run, "send", obey)
    said = []
    for _ in range(4):
        with pytest.raises(Refusal) as caught:
            Controls(catalogue).single_steps("both", 1, run.id, "fr")
        said.append(str(caught.value))
    assert said == [words.text("fault.command_steps", "fr"), *["Pause it first."] * 3]


def test_a_best_that_is_gone_is_said_in_the_callers_language(catalogue, run):
    best_of(run, "stopped")
    with pytest.raises(Refusal) as caught:
        Controls(catalogue).restore(run.id, "fr")
    nothing = words.text("fault.best_none", "fr")
    assert str(caught.value) == words.text("fault.best_stays", "fr", run=run.name, reason=nothing)


def test_an_ended_run_begins_a_new_life_paused_at_its_best(catalogue, run, asked, monkeypatch):
    best_of(run, "stopped")
    with pytest.raises(Refusal, match="best checkpoint"):
        Controls(catalogue).restore(run.id)  # the status says so, but the file is gone
    begun = []
    monkeypatch.setattr(Run, "restore_best", lambda self: 1)
    monkeypatch.setattr(catalogue.supervisor, "start", lambda run, paused, changes: begun.append((run.id, paused)))
    assert Controls(catalogue).restore(run.id).id == run.id and begun == [(run.id, True)] and asked == []


@pytest.mark.parametrize(("state", "threads", "warm"), [("paused", 2, True), ("running", 1, True), ("running", 2, False),
                                                        ("starting", 1, False)])
def test_a_worker_is_warmed_up_only_where_the_run_loses_nothing_by_it(catalogue, run, monkeypatch, state, threads, warm):
    """On several threads a run beside it would take fewer, and could not be repeated bit for bit afterwards."""
    calls = []
    monkeypatch.setattr(catalogue.supervisor, "prepare", lambda: calls.append(1))
    assert Controls(catalogue).prepare() is False, "nothing is active"
    monkeypatch.setattr(catalogue.supervisor, "active", lambda: run)
    monkeypatch.setattr(type(run), "status", lambda self: Status(state=state, threads=threads))
    assert Controls(catalogue).prepare() is warm and len(calls) == warm


def test_nobody_is_taken_back_while_another_trains(catalogue, run, monkeypatch):
    best_of(run, "stopped")
    monkeypatch.setattr(Run, "restore_best", lambda self: pytest.fail("its checkpoints were touched"))
    monkeypatch.setattr(catalogue.supervisor, "active", lambda: make_run(catalogue.folder, steps=1))
    with pytest.raises(Refusal, match="Only one run can be active"):
        Controls(catalogue).restore(run.id)


@pytest.mark.parametrize("kind", WATCHED)
def test_a_run_that_is_only_watched_says_so_whatever_is_pressed(catalogue, run, asked, monkeypatch, kind):
    monkeypatch.setattr(type(catalogue), "find_or_default", lambda self, run_id: run)
    run.kind = kind
    controls = Controls(catalogue)
    actions = (controls.pause, controls.resume, controls.save, controls.restore, lambda: controls.tune('{"lr_d": 0.0005}'),
               lambda: controls.single_steps("both", 1))
    for action in actions:
        with pytest.raises(Refusal) as caught:
            action()
        assert str(caught.value) == words.text("errors.watched", name=run.name)
    assert asked == []


@pytest.mark.parametrize("lang", words.LANGUAGES)
def test_a_shipped_run_takes_no_single_step(catalogue, asked, lang):
    run = make_run(catalogue.folder.parent / "shipped", kind="starter", steps=1)
    with pytest.raises(Refusal) as caught:
        Controls(catalogue).single_steps("both", 1, run.id, lang)
    assert str(caught.value) == words.text("errors.not_now", lang, state=words.text("states.starter", lang).lower())
    assert asked == [] and not list((run.path / "control").glob("*"))


@pytest.mark.parametrize(("dataset", "kind"), [("ring:x", "surplus"), ("zip", "missing"), ("drawn:" + "x" * 2000, "long")])
def test_a_wrong_name_of_data_says_what_is_wrong_with_it(catalogue, dataset, kind):
    with pytest.raises(Refusal) as caught:
        Controls(catalogue).config("quick", {"dataset": dataset}, "fr", labels=True)
    given = dataset if len(dataset) <= 40 else dataset[:40] + "…"
    assert str(caught.value) == words.text(f"errors.dataset_{kind}", "fr", field=words.text("fields.dataset", "fr"), given=given)


def test_the_way_back_goes_to_the_step_that_was_confirmed_or_nowhere(catalogue, run, asked):
    status = run.stored_status()
    status.best = {"step": 40, "name": "fd", "value": 1.0}
    run.write_status(status)
    with pytest.raises(Refusal, match=words.text("errors.best_moved", step=40)):
        Controls(catalogue).restore(run.id, step=20)
    assert asked == []
    Controls(catalogue).restore(run.id, step=40)
    Controls(catalogue).restore(run.id)
    assert asked == [("restore", {})] * 2


def test_nothing_is_ended_for_a_run_that_cannot_be_made(catalogue, run, monkeypatch):
    """As on a full disk."""
    monkeypatch.setattr(type(catalogue.supervisor), "active", lambda self: run)
    monkeypatch.setattr(type(catalogue.supervisor), "stop", lambda self, *_, **__: pytest.fail("the old run was ended"))

    def full(*_, **__):
        raise RunError("cannot make the run folder: No space left on device.")

    monkeypatch.setattr(Run, "create", full)
    controls = Controls(catalogue)
    with pytest.raises(Refusal, match="No space left"):
        controls.start(controls.config("quick", {}), "quick", force=True)


@pytest.mark.parametrize("preset", [{}, [1], None, "none"])
def test_what_is_no_preset_is_a_sentence(catalogue, preset):
    with pytest.raises(Refusal, match="There is no preset called"):
        Controls(catalogue).config(preset, {})


@pytest.mark.parametrize(("lang", "sentence"), [
    ("en", r"^Only one run can be active at a time, and {name} is active \(paused\)\. Stop it first, under Runs; "),
    ("fr", r"^Un seul essai peut être actif à la fois, et {name} l’est déjà \(en pause\)\. ")])
def test_resume_beside_a_paused_run_says_that_it_is_paused_and_changes_neither(catalogue, run, lang, sentence):
    write_worker_note(catalogue.folder, {"run": run.id, "pid": os.getpid(), "pid_started": psutil.Process().create_time(),
                                         "host": platform.node(), "server": ""})
    other = make_run(catalogue.folder, steps=1)
    status = other.stored_status()
    status.state, status.checkpoint_step = "stopped", 1
    other.write_status(status)

    def contents():
        return {path: path.read_bytes() for path in catalogue.folder.rglob("*") if path.is_file()}

    before = contents()
    with pytest.raises(Refusal, match=sentence.format(name=run.name)):
        Controls(catalogue).resume(other.id, lang)
    assert contents() == before


def named(catalogue, run):
    """This very process is the worker of this run."""
    write_worker_note(catalogue.folder, {"run": run.id, "pid": os.getpid(), "pid_started": psutil.Process().create_time(),
                                         "host": platform.node(), "server": ""})


def saved(run):
    """It says that it has a checkpoint."""
    status = run.stored_status()
    status.checkpoint_step = status.step
    run.write_status(status)
    return run


def told(controls, run, lang):
    """(whether it can be stopped, why it cannot be resumed at once) as the list of runs says it."""
    able = json.loads(runs_tab._abilities(controls, [run], lang))[run.id]
    assert able["resume"] == (not able["reason"] or able["instead"] is not None)
    return able["stop"], able["reason"]


@pytest.mark.parametrize("lang", words.LANGUAGES)
def test_the_list_says_why_a_run_cannot_be_resumed_and_which_one_can_be_stopped(catalogue, run, lang):
    controls = Controls(catalogue)
    named(catalogue, run)
    assert told(controls, run, lang) == (True, ""), "the paused run goes on"
    stopped = saved(make_run(catalogue.folder, steps=1, state="stopped"))
    paused = words.text("states.paused", lang).lower()
    assert told(controls, stopped, lang) == (False, words.text("runs.resumed_instead", lang, name=run.name, state=paused))
    able = json.loads(runs_tab._abilities(controls, [stopped], lang))[stopped.id]
    shown = f"{words.text('presets.quick.name', lang)} ({words.text('samples.at_step', lang, step='1')})"
    assert able["instead"] == {"id": run.id, "name": shown}, "whoever presses is asked whether to stop this one"
    with pytest.raises(Refusal) as caught:
        controls.resume(stopped.id, lang)
    assert str(caught.value) == words.text("errors.busy", lang, name=run.name, state=paused), "without an answer to that"
    no_checkpoint = words.text("errors.no_checkpoint", lang)
    assert told(controls, make_run(catalogue.folder, steps=1, state="failed"), lang) == (False, no_checkpoint)
    starter = make_run(catalogue.folder.parent / "shipped", kind="starter", steps=1)
    assert told(controls, starter, lang) == (False, words.text("runs.not_resumed_starter", lang))
    assert told(controls, make_run(catalogue.folder, steps=1), lang) == (False, no_checkpoint), "finished, and not saved"
    for state in ("starting", "running"):
        status = run.stored_status()
        status.state = state
        run.write_status(status)
        assert told(controls, run, lang) == (True, words.text(f"runs.not_resumed_{state}", lang))
    (catalogue.folder / layout.WORKER_NOTE).unlink()
    assert told(controls, stopped, lang) == (False, "")
    stopped.info["config"]["dataset"], controls.local_paths = "folder:/home/me/sheep", False
    assert told(controls, stopped, lang) == (False, words.text("errors.no_local_life", lang))


def test_stop_ends_the_run_that_is_meant_and_no_other(catalogue, run, monkeypatch):
    named(catalogue, run)
    ended = []
    monkeypatch.setattr(type(catalogue.supervisor), "stop",
                        lambda self, timeout, expected=None: ended.append((self.active().id, expected)) or left(run, "stopped"))
    other, controls = make_run(catalogue.folder, steps=1, state="stopped"), Controls(catalogue)
    broken = make_run(catalogue.folder, steps=1)
    (broken.path / layout.CONFIG).write_bytes(b"{")
    for lang in words.LANGUAGES:
        with pytest.raises(Refusal, match=words.text("states.stopped", lang).lower()):
            controls.stop(other.id, lang)
        for name in ("made-up", "../other", broken.id):
            with pytest.raises(Refusal) as caught:
                controls.stop(name, lang)
            assert str(caught.value) == words.text("errors.unknown_run", lang, name=name)
    assert ended == []
    controls.stop(run.id)
    left(run, "paused")
    controls.stop()
    assert ended == [(run.id, run.path), (run.id, None)]


@pytest.fixture
def lives(catalogue, monkeypatch):
    """What was ended, and begun, in this order; what is ended is saved."""
    done = []

    def stop(self, timeout=0, expected=None):
        done.append(("ended", expected))
        return left(Run.open(expected), "stopped")

    monkeypatch.setattr(type(catalogue.supervisor), "stop", stop)
    monkeypatch.setattr(type(catalogue.supervisor), "start",
                        lambda self, run, paused=False, changes=None: done.append(("begun", run.path)))
    return done


@pytest.mark.parametrize("action", ["resume", "restore"])
def test_a_run_goes_on_instead_of_the_one_that_is_named_and_of_no_other(catalogue, run, lives, monkeypatch, action):
    named(catalogue, run)
    monkeypatch.setattr(Run, "restore_best", lambda self: lives.append(("chosen", self.path)))
    other = saved(make_run(catalogue.folder, steps=1, state="stopped"))
    left(other, "stopped", best={"step": 1, "name": "fd", "value": 9.0})
    act = getattr(Controls(catalogue), action)
    for instead_of in ("", other.id, "somebody-else"):
        with pytest.raises(Refusal, match=f"{run.name} is active"):
            act(other.id, instead_of=instead_of)
    assert lives == []
    warned = []
    assert act(other.id, instead_of=run.id, warn=warned.append).id == other.id and warned == []
    assert [what for what in lives if what[0] != "chosen"] == [("ended", run.path), ("begun", other.path)]
    assert action == "resume" or lives[1][0] == "chosen", "its checkpoints are touched once it may begin"
    count = len(lives)
    assert act(other.id, instead_of=run.id).id == other.id, "that one has ended by now"
    assert not [what for what in lives[count:] if what[0] == "ended"]


def test_nothing_is_stopped_for_a_run_that_cannot_go_on(catalogue, run, lives, tmp_path):
    named(catalogue, run)
    controls = Controls(catalogue)
    cannot = [make_run(catalogue.folder, steps=1, state="failed"), make_run(catalogue.folder, steps=1),
              make_run(catalogue.folder.parent / "shipped", kind="starter", steps=1)]
    away = tmp_path / "away"
    busy, idle = make_run(away, steps=1), saved(make_run(away, steps=1, state="stopped"))
    left(busy, "running", pid=os.getpid(), pid_started=psutil.Process().create_time())
    write_worker_note(away, {"run": busy.id, "pid": os.getpid(), "pid_started": psutil.Process().create_time()})
    cannot += [one for one in catalogue.external_runs.open(str(away)) if one.path == idle.path]
    for one in cannot:
        assert controls.replaceable(one, one.status(), run) is None
        with pytest.raises(Refusal):
            controls.resume(one.id, instead_of=run.id)
    assert lives == []


def test_a_run_that_begins_between_the_question_and_the_answer_is_named(catalogue, run, lives, monkeypatch):
    named(catalogue, run)
    other, third = (saved(make_run(catalogue.folder, steps=1, state="stopped")) for _ in range(2))
    monkeypatch.setattr(type(catalogue.supervisor), "stop", lambda self, expected: None)  # the third one is active by now

    def start(self, run, paused=False, changes=None):
        raise WorkerBusy(third)

    monkeypatch.setattr(type(catalogue.supervisor), "start", start)
    with pytest.raises(Refusal, match=f"{third.name} is active"):
        Controls(catalogue).resume(other.id, instead_of=run.id)


NOT_WRITTEN = {"key": "notice_saving", "values": {"reason": {"key": "os_enospc", "values": {}},
                                                  "kept": {"key": "kept_none", "values": {}}}}


@pytest.mark.parametrize(("state", "fields", "said"), [
    ("stopped", {}, ""), ("finished", {}, ""),
    ("failed", {"error": {"kind": "killed", "message": "", "step": 1}}, "may have been killed or run out of memory. Resume con"),
    ("failed", {"error": {"kind": "killed", "message": "", "step": 1, "fault": {"key": "ended_unsaved", "values": {}}}},
     "did not answer, so it was ended without being saved. Resume continues from the last checkpoint, at step 1."),
    ("failed", {"error": {"kind": "refused", "message": "No such sheep.", "step": 1}, "checkpoint_step": -1},
     "No such sheep. This run has no checkpoint"),
    ("failed", {}, "crashed"), ("stopped", {"notices": [NOT_WRITTEN]}, "Saving failed: No space left on device. Resume"),
    ("running", {}, "was asked to stop and has not ended yet")])
def test_whether_a_run_was_saved_is_told_by_its_status(catalogue, state, fields, said):
    run = left(saved(make_run(catalogue.folder, steps=1)), state, host="a-node-of-the-cluster", **fields)
    refusal = unsaved(run, "en")
    assert (refusal is None) if not said else said in str(refusal) and run.name in str(refusal)
    assert said or unsaved(run, "fr") is None
    assert not said or unsaved(run, "fr") is not None


def test_a_new_run_begins_also_where_the_old_one_could_not_be_saved_and_that_is_said(catalogue, run, lives, monkeypatch):
    named(catalogue, run)
    killed = {"kind": "killed", "message": "", "step": 1}
    monkeypatch.setattr(type(catalogue.supervisor), "stop", lambda self, expected: left(run, "failed", error=killed))
    monkeypatch.setattr(type(catalogue.supervisor), "prepare", lambda self: None)
    controls, warned = Controls(catalogue), []
    begun = controls.start(controls.config("quick", {}), "quick", force=True, warn=warned.append)
    assert lives == [("begun", begun.path)] and warned == [str(unsaved(run, "en"))]


def test_stop_says_that_another_run_has_taken_the_place_of_the_one_that_is_meant(catalogue, run, monkeypatch):
    """Between the look and the act somebody presses Reset."""
    named(catalogue, run)
    monkeypatch.setattr(type(catalogue.supervisor), "stop", lambda self, timeout, expected: None)
    with pytest.raises(Refusal, match="That is not possible now"):
        Controls(catalogue).stop(run.id)


def test_a_start_in_place_of_a_run_ends_no_other(catalogue, run, monkeypatch):
    named(catalogue, run)
    monkeypatch.setattr(type(catalogue.supervisor), "stop", lambda self, *_, **__: pytest.fail("another run was ended"))
    other, controls = make_run(catalogue.folder, steps=1), Controls(catalogue)
    before = set(catalogue.folder.iterdir())
    with pytest.raises(Refusal, match=f"{run.name} is active"):
        controls.start(other.config, "quick", force=True, replaced=other)
    assert set(catalogue.folder.iterdir()) == before


@pytest.mark.parametrize("lang", words.LANGUAGES)
def test_what_the_list_offers_is_not_refused(catalogue, run, asked, lang, tmp_path):
    """A damaged note beside the runs hides who trains; elsewhere one run trains, so that no other one can there."""
    controls = Controls(catalogue)
    (catalogue.folder / layout.WORKER_NOTE).write_bytes(b"{")
    assert told(controls, run, lang)[0]
    controls.stop(run.id, lang)
    assert asked == [("stop", {})], "its worker obeys whoever asks"
    starting = run.stored_status()
    starting.state = "starting"
    run.write_status(starting)
    assert not told(controls, run, lang)[0], "nobody would hear"
    with pytest.raises(Refusal):
        controls.stop(run.id, lang)
    starting.state = "stopped"
    run.write_status(starting)

    away = tmp_path / "away"
    busy, idle = make_run(away, steps=1), saved(make_run(away, steps=1, state="stopped"))
    status = busy.stored_status()
    status.state, status.pid, status.pid_started = "running", os.getpid(), psutil.Process().create_time()
    busy.write_status(status)
    write_worker_note(away, {"run": busy.id, "pid": os.getpid(), "pid_started": psutil.Process().create_time()})
    opened = next(one for one in catalogue.external_runs.open(str(away)) if one.path == idle.path)
    _, reason = told(controls, opened, lang)
    assert busy.name in reason
    with pytest.raises(Refusal) as caught:
        controls.resume(opened.id, lang)
    assert str(caught.value) == reason


def test_the_active_run_is_looked_for_once_for_the_whole_list(catalogue, run, monkeypatch):
    controls, listed, calls = Controls(catalogue), [make_run(catalogue.folder, steps=1) for _ in range(3)], []
    monkeypatch.setattr(type(catalogue.supervisor), "active", lambda self: calls.append(1))
    assert len(json.loads(runs_tab._abilities(controls, listed, "en"))) == 3 and len(calls) == 1


@pytest.mark.parametrize(("command", "speed", "seconds"), [("pause", 0.0, 3), ("save", 1e6, 3), ("pause", 0.01, 1e3),
                                                           ("save", 0.01, 25)])
def test_an_answer_is_waited_for_as_long_as_slow_steps_take(catalogue, run, monkeypatch, command, speed, seconds):
    status, waited = run.stored_status(), []
    status.speed, status.state = speed, "running"
    run.write_status(status)
    monkeypatch.setattr(Run, "wait", lambda self, identity, timeout: waited.append(timeout))
    getattr(Controls(catalogue), command)(run.id)
    assert waited == [seconds] if seconds < 1e3 else waited[0] >= run.config.batch_size / speed


def test_a_control_that_nobody_answers_is_refused_and_withdrawn(catalogue, run, monkeypatch):
    monkeypatch.setattr("gan_core.ui.run_access.ANSWER_TIMEOUT", 0.05)
    with pytest.raises(Refusal, match="the command is withdrawn"):
        Controls(catalogue).single_steps("both", 3, run.id)
    assert run.pending_commands() == []
