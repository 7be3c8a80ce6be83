import re
from html.parser import HTMLParser

import pytest

from gossip_trainer.page.html import html
from gossip_trainer.page.run_page import run_page
from gossip_trainer.page.sources import read_run
from gossip_trainer.page.write import write_run_page

HOSTILE = "</script></style><img src=http://evil.example onerror=alert(1)>"


class Tags(HTMLParser):
    """Collects what a browser would make of a page."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def named(self, *names):
        return [attributes for tag, attributes in self.found if tag in names]


@pytest.fixture
def text(run_folder):
    return html(run_page([read_run(run_folder, "digits")]))


def test_a_page_asks_for_nothing_outside(text):
    tags = Tags(text)

    assert tags.named("link", "img", "iframe", "object", "base") == []
    assert all("src" not in each and "href" not in each for _, each in tags.found)
    assert "url(" not in text
    assert "@import" not in text


def test_a_policy_forbids_every_script_but_its_own(text):
    (policy,) = [each["content"] for each in Tags(text).named("meta") if "http-equiv" in each]

    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert not re.search(r" (style|on[a-z]+)=", text.partition("</style>")[2])


def test_text_from_a_run_is_text(run_folder):
    job = run_folder / "job.yaml"
    job.write_text(job.read_text() + f"# {HOSTILE}\n")
    events = run_folder / "events.jsonl"
    events.write_bytes(events.read_bytes().replace(b"killed by SIGKILL", HOSTILE.encode()))

    tags = Tags(html(run_page([read_run(run_folder, HOSTILE), read_run(run_folder, "b")])))

    assert tags.named("img") == []
    assert all("onerror" not in attributes for _, attributes in tags.found)
    assert len(tags.named("title")) > 1
    assert len(tags.named("style")) == 1


def test_every_chart_is_there_for_every_axis_and_scale(text):
    variants = [
        each["class"] for each in Tags(text).named("svg") if "variant" in each.get("class", "")
    ]

    assert len(variants) == 4 * 3 * 2
    assert variants.count("variant bytes log") == 4


def test_every_picture_says_in_words_what_it_shows(text):
    pictures = [each for each in Tags(text).named("svg") if each.get("role") == "img"]

    assert all(each["aria-label"] for each in pictures)
    first = pictures[0]["aria-label"]
    assert first.startswith("Loss on held-out data over seconds of training, linear scale: ")
    assert "averaged model from 1.648 to 0.08205" in first


def test_a_page_names_its_language_and_its_run(text):
    assert '<html lang="en">' in text
    assert "<title>digits: Gossip, 4 workers</title>" in text


def test_a_run_in_which_nothing_was_measured_has_a_page_all_the_same(tmp_path, records, write):
    folder = write(tmp_path / "short", [each for each in records if "Began" in type(each).__name__])

    text = html(run_page([read_run(folder, "short")]))

    assert "There was no evaluation and no report." in text


def test_runs_in_folders_of_one_name_are_told_apart_by_their_paths(tmp_path, records, write):
    folders = [write(tmp_path / parent / "digits", records) for parent in "ab"]

    write_run_page(folders, tmp_path / "report.html")

    text = (tmp_path / "report.html").read_text()
    assert all(f"{folder}: Gossip, 4 workers" in text for folder in folders)
