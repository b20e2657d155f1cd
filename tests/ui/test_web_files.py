"""The page's own files: all of them are served and cached, and nothing else; the head names them and is small."""

import re

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from gan_core.ui import containers, web_files, words
from gan_core.ui.web_files import ADDRESS, BOOT, CACHED, FOLDER, MAIN, STYLE, STYLES

FILES = web_files.web_files()
TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".json": "application/json"}


@pytest.fixture(scope="module")
def client():
    return TestClient(Starlette(routes=web_files.routes()))


def attribute(name: str) -> list[str]:
    return re.search(rf'data-{name}="([^"]*)"', FILES.head())[1].split()


def test_every_file_is_served_with_its_type_and_may_be_kept_for_a_year(client):
    there = {path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.js")} - {BOOT}
    assert there | {STYLE} | {f"words.{lang}.json" for lang in words.LANGUAGES} == set(FILES.contents)
    for name in FILES.contents:
        reply = client.get(f"/{FILES.address}{name}")
        assert reply.status_code == 200 and reply.headers["content-type"] == TYPES[name[name.rindex("."):]], name
        assert reply.headers["cache-control"] == CACHED["Cache-Control"] == "public, max-age=31536000, immutable"
        if (FOLDER / name).exists():
            assert reply.content == (FOLDER / name).read_bytes()


@pytest.mark.parametrize("lang", words.LANGUAGES)
def test_a_language_s_words_are_one_file(client, lang):
    assert client.get(f"/{FILES.address}words.{lang}.json").json() == words.page_table(lang)


@pytest.mark.parametrize("name", [
    "../view.py", "..%2fview.py", "%2e%2e/view.py", "..%5cview.py", "styles/../../view.py", "/etc/passwd", "%2fetc%2fpasswd",
    "styles", "styles/", "", ".", BOOT, "main.js%00", "MAIN.JS", "words.tlh.json", "words.en.json/", "lib//i18n.js"])
def test_nothing_else_can_be_reached(client, name):
    reply = client.get(f"/{FILES.address}{name}")
    assert reply.status_code == 404 and b"import" not in reply.content


def test_another_version_is_not_there_and_is_not_remembered(client):
    reply = client.get(f"/{ADDRESS}{'0' * 12}/{MAIN}")
    assert reply.status_code == 404 and reply.headers["cache-control"] == "no-store"
    assert client.post(f"/{FILES.address}{MAIN}").status_code == 405


def test_the_address_changes_with_any_name_and_any_content():
    def version(contents):
        return web_files._fingerprint(contents.items())
    assert version(FILES.contents) == FILES.version
    changed = [{**FILES.contents, "words.fr.json": b"{}"}, {**FILES.contents, "more.js": b""},
               {("x.js" if name == MAIN else name): content for name, content in FILES.contents.items()}]
    assert len({FILES.version, *map(version, changed)}) == 4


def test_the_head_names_every_module_and_the_styles_and_stays_small():
    head = FILES.head()
    assert len(head.encode()) < 6000
    assert set(attribute("modules")) == {name for name in FILES.contents if name.endswith(".js")}
    assert attribute("languages") == list(words.LANGUAGES) and attribute("assets") == [FILES.address]
    linked = re.findall(r'<link rel="stylesheet" href="([^"]*)">', head)
    assert linked == [FILES.address + STYLE]
    assert re.findall(r'src="([^"]*)"', head) == [FILES.address + MAIN]
    assert not FILES.address.startswith(("/", "http")), "a page below another path asks below that path too"


def test_the_styles_are_every_file_in_the_order_of_the_cascade():
    assert set(STYLES) == {path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.css")}
    assert STYLES[0] == "styles/tokens.css" and len(STYLES) == len(set(STYLES))
    assert FILES.contents[STYLE].decode() == "\n".join((FOLDER / name).read_text(encoding="utf-8") for name in STYLES)


def test_the_boot_script_cannot_close_itself():
    assert FILES.head().count("</script") == 2 and "<!--" not in FILES.head()


def page(request):
    return HTMLResponse("<html><head><meta charset=utf-8></head><body>é</head></body></html>")


@pytest.mark.parametrize("prefix", ["", "/space"])
def test_the_head_is_in_the_page_itself_and_nowhere_else(prefix):
    routes = [Route("/", page), Route("/gradio_api/x", lambda request: PlainTextResponse("</head>")), Route("/other", page)]
    inner = Starlette(routes=routes, middleware=[Middleware(containers.HeadMiddleware)])
    client = TestClient(Starlette(routes=[Mount(prefix, inner)]) if prefix else inner)
    reply = client.get(f"{prefix}/")
    assert reply.text.count(FILES.head()) == 1
    assert reply.text.index(FILES.head()) < reply.text.index("<body>")
    assert int(reply.headers["content-length"]) == len(reply.content)
    assert client.get(f"{prefix}/gradio_api/x").text == "</head>"
    assert FILES.version not in client.get(f"{prefix}/other").text
