"""The page's own files in a real browser: asked for once, in time, and only those that are needed."""

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

OURS = """() => performance.getEntriesByType('resource').filter(e => e.name.includes('/gan/assets/'))
    .map(e => ({ name: e.name.split('/assets/')[1].replace(/^[^/]+[/]/, ''), bytes: e.transferSize, end: e.responseEnd }))"""


def test_a_second_visit_takes_every_file_from_the_cache(standing, visit):
    first = visit(standing.url)
    files = first.page.evaluate(OURS)
    names = [file["name"] for file in files]
    assert "main.js" in names and "styles.css" in names and len(names) == len(set(names)), "nothing is asked for twice"
    assert all(file["bytes"] > 0 for file in files)
    again = first.page.context.new_page()
    again.goto(standing.url)
    again.wait_for_selector("#run-state:not([data-state=loading])")
    second = again.evaluate(OURS)
    assert {file["name"] for file in second} == set(names) and not any(file["bytes"] for file in second)


@pytest.mark.parametrize("locale, lang, other", [("en-US", "en", "fr"), ("fr-CA", "fr", "en")])
def test_only_the_words_of_the_language_in_use_are_fetched(standing, visit, locale, lang, other):
    person = visit(standing.url, locale=locale)
    names = [file["name"] for file in person.page.evaluate(OURS)]
    assert names.count(f"words.{lang}.json") == 1 and f"words.{other}.json" not in names


def test_nothing_is_painted_before_the_styles_are_there(standing, visit):
    person = visit(standing.url)
    painted = person.page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    styles = [file["end"] for file in person.page.evaluate(OURS) if file["name"].endswith(".css")]
    assert len(styles) == 1 and styles[0] <= painted


def test_every_part_is_filled(standing, visit):
    person = visit(standing.url)
    parts = person.page.evaluate("[...document.querySelectorAll('gan-part')].map(e => [e.dataset.gan, e.childElementCount])")
    assert len(parts) == 11
    assert [name for name, children in parts if not children] == ["presets"], "it only marks gradio's own list"
    assert person.errors == []


def test_gradio_may_be_ready_long_before_the_modules(standing, chromium):
    page = chromium.new_context(viewport={"width": 1440, "height": 900}, locale="en-US").new_page()
    errors, held = [], []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.route("**/assets/*/main.js", lambda route: held.append(route))
    page.goto(standing.url, wait_until="commit")  # the load itself waits for the modules
    page.wait_for_selector("#btn-start")
    page.wait_for_function("document.querySelector('#preset input:checked') && window.ganPage.language === 'en'")
    assert page.locator("#run-state").count() == 0
    held[0].continue_()
    page.wait_for_selector("#data-preview[data-state=ready]")
    page.wait_for_selector("#latent-sliders input")
    assert errors == []
    page.context.close()
