import json
from html.parser import HTMLParser

import pytest

from gossip_trainer.page.markup import data, document, node


def read(text):
    """Return what a browser makes of a page: its tags and texts."""
    found = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attributes: found.append((tag, dict(attributes)))
    parser.handle_data = lambda data: found.append(data) if data.strip() else None
    parser.feed(text)
    parser.close()
    return found


HOSTILE = "</script><img src=x onerror=alert(1)>\"'&\u2028"


def test_text_and_attributes_can_only_ever_be_text():
    written = document(node("p", HOSTILE, title=HOSTILE))

    assert read(written) == [("p", {"title": HOSTILE}), HOSTILE]


def test_nothing_in_a_block_of_data_ends_the_block():
    written = document(data({"label": HOSTILE}))

    assert written.count("</script>") == 1
    inside = written[written.index(">", 20) + 1 : written.index("</script>")]
    assert json.loads(inside) == {"label": HOSTILE}


def test_data_without_a_value_in_json_is_refused():
    with pytest.raises(ValueError, match="not JSON compliant"):
        data([float("nan")])


def test_texts_and_elements_stay_in_their_order():
    assert "<p>a<b>b</b>c<i>d</i>e</p>" in document(
        node("p", "a", node("b", "b"), "c", node("i", "d"), "e")
    )


def test_attributes_may_be_numbers_and_flags():
    written = document(
        node(
            "input", x=1.0, y=1 / 3, checked=True, hidden=False, id=None, class_="a", aria_label="b"
        )
    )

    assert '<input x="1" y="0.33" checked="" class="a" aria-label="b">' in written
