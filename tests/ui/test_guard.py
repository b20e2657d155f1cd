"""The bounds of the middleware: who may be how many at once, how long and how slow a body may be."""

import asyncio

import pytest

from gan_core.ui import doors, guard
from gan_core.ui.guard import Guard
from gan_core.ui.live_routes import PREFIX

STREAM, LOOK, UPLOAD = ("GET", f"{PREFIX}stream"), ("GET", "/config"), ("POST", "/gradio_api/upload")


class Held:
    """An app that reads the body and answers when it is told to."""

    def __init__(self):
        self.go, self.inside, self.most = asyncio.Event(), 0, 0

    async def __call__(self, scope, receive, send):
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            while (message := await receive()).get("more_body"):
                pass
            if message["type"] == "http.disconnect":
                raise ConnectionResetError("the client has gone")
            await self.go.wait()
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"answer"})
        finally:
            self.inside -= 1


async def ask(app, door, client="10.0.0.1", parts=(b"",), headers=(), root="", wait=0.0):
    """(status, headers, body) of one request whose body comes in these parts, `wait` seconds apart."""
    method, path = door
    waiting, sent = list(parts), []

    async def receive():
        await asyncio.sleep(wait)
        if not waiting:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": waiting.pop(0), "more_body": bool(waiting)}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": method, "path": root + path, "root_path": root, "client": (client, 1),
             "headers": list(headers)}
    await app(scope, receive, send)
    start, *rest = sent
    return start["status"], dict(start["headers"]), b"".join(one["body"] for one in rest)


def crowd(door, clients, most=None):
    """The statuses of requests that are all there at once, one from each of `clients`."""
    async def play():
        held = Held()
        app = Guard(held, most)
        asked = [asyncio.create_task(ask(app, door, client)) for client in clients]
        while held.inside + sum(one.done() for one in asked) < len(asked):
            await asyncio.sleep(0)
        held.go.set()
        replies = await asyncio.gather(*asked)
        again = await ask(app, door, clients[-1])
        return replies, again[0], app._counts
    return asyncio.run(play())


@pytest.mark.parametrize(("door", "kind"), [(STREAM, "stream"), (LOOK, "request"), (UPLOAD, "upload")])
def test_so_many_at_once_and_the_next_hears_when_to_come_again(door, kind):
    most = {"stream": (9, 99), "request": (9, 99), "upload": (9, 99), kind: (3, 5)}
    replies, again, now = crowd(door, ["a"] * 4 + ["b"] * 4, most)
    statuses = [status for status, *_ in replies]
    assert statuses == [200] * 3 + [429] + [200] * 2 + [429] * 2, "three of one address, five of all"
    _, headers, body = replies[3]
    assert headers[b"retry-after"] == b"5" and b"wait a few seconds" in body
    assert again == 200 and not now, "nothing is counted that has gone"


def test_a_school_of_200_viewers_behind_one_address_is_not_disturbed():
    async def play():
        held = Held()
        app = Guard(held)
        doors_of_one = [STREAM, ("GET", "/gradio_api/queue/data"), LOOK, LOOK, LOOK, LOOK]  # all six connections of a browser
        asked = [asyncio.create_task(ask(app, door)) for _ in range(200) for door in doors_of_one]
        while held.inside < len(asked):
            assert not any(one.done() for one in asked)
            await asyncio.sleep(0)
        held.go.set()
        return await asyncio.gather(*asked)
    assert {status for status, *_ in asyncio.run(play())} == {200}


def test_500_streams_of_one_address_are_too_many():
    replies, *_ = crowd(STREAM, ["a"] * 500)
    assert [status for status, *_ in replies].count(429) == 500 - guard.LIMITS["stream"][0] > 0


@pytest.mark.parametrize("root", ["", "/space"])
def test_a_body_in_parts_is_counted(root):
    async def play(parts):
        held = Held()
        held.go.set()
        return await ask(Guard(held), ("POST", f"{PREFIX}z"), parts=parts, root=root)
    most = doors.PATHS["POST", f"{PREFIX}z"].body
    assert asyncio.run(play([bytes(most - 1), b"x"]))[0] == 200
    assert asyncio.run(play([bytes(most), b"x", b"y"]))[0] == 413


def test_a_body_that_never_ends_is_given_up_and_one_that_comes_is_not():
    async def play(parts, wait=0.0):
        held = Held()
        held.go.set()
        return await ask(Guard(held, body_grace=0.2), UPLOAD, parts=parts, wait=wait)
    status, _, body = asyncio.run(play([b"x"] * 50, wait=0.05))  # 20 bytes a second: it would take 2.5 s
    assert status == 408 and b"too slow" in body
    assert asyncio.run(play([bytes(2000)] * 20, wait=0.05))[0] == 200, "longer than the patience, and fast enough"


def test_an_answer_that_stays_open_is_not_given_up():
    async def play():
        held = Held()
        asked = asyncio.create_task(ask(Guard(held, body_grace=0.05), STREAM))
        await asyncio.sleep(0.3)
        assert not asked.done()
        held.go.set()
        return await asked
    assert asyncio.run(play())[0] == 200


def test_a_websocket_is_closed_and_a_fault_of_the_app_goes_on():
    async def broken(scope, receive, send):
        raise ZeroDivisionError

    sent = []

    async def send(message):
        sent.append(message)

    asyncio.run(Guard(broken)({"type": "websocket", "path": "/"}, None, send))
    assert sent == [{"type": "websocket.close", "code": 1008}]
    with pytest.raises(ZeroDivisionError):
        asyncio.run(ask(Guard(broken), LOOK))
