"""The dashboards' JSON keeps the rules that Grafana's own linter has."""

import re
from itertools import chain, combinations

import pytest

from gossip_monitoring.dashboards.catalogue import DASHBOARDS
from gossip_monitoring.dashboards.document import document
from gossip_monitoring.dashboards.interpolation import interpolate
from gossip_monitoring.dashboards.panel import Unit

DOCUMENTS = {name: document(dashboard) for name, dashboard in DASHBOARDS.items()}
GRAFANAS_OWN = {"__rate_interval": "1m"}

pytestmark = pytest.mark.parametrize("found", DOCUMENTS.values(), ids=DOCUMENTS)


def everything_of(found):
    """Return rows and panels, those within collapsed rows too."""
    inner = chain.from_iterable(panel.get("panels", ()) for panel in found["panels"])
    return [*found["panels"], *inner]


def panels_of(found):
    return [panel for panel in everything_of(found) if panel["type"] != "row"]


def targets_of(found):
    return [target for panel in panels_of(found) for target in panel["targets"]]


def test_the_uid_is_one_that_grafana_takes(found):
    assert re.fullmatch(r"gossip-[a-z-]{1,33}", found["uid"])
    assert found["id"] is None


def test_no_other_dashboard_has_its_uid_or_title(found):
    for key in ("uid", "title"):
        assert [other[key] for other in DOCUMENTS.values()].count(found[key]) == 1


def test_it_cannot_be_edited_and_shows_the_readers_own_time(found):
    assert (found["editable"], found["timezone"], found["schemaVersion"]) == (False, "browser", 39)


def linked_from(link):
    return [each for each in DOCUMENTS.values() if set(link["tags"]) <= set(each["tags"])]


def test_its_links_lead_to_all_dashboards(found):
    linked = {each["uid"] for link in found["links"] for each in linked_from(link)}
    assert linked == {each["uid"] for each in DOCUMENTS.values()}


def test_what_is_chosen_is_handed_on_to_those_alone_that_have_the_same_choices(found):
    for link in found["links"]:
        same = all(each["templating"] == found["templating"] for each in linked_from(link))
        assert (link["includeVars"], link["keepTime"]) == (same, True)


def test_the_datasource_is_the_first_choice(found):
    first = found["templating"]["list"][0]
    asked = {"name": "datasource", "type": "datasource", "query": "prometheus"}
    assert asked.items() <= first.items()
    assert first["label"] == "Data source"


def test_choices_have_a_label_and_are_made_anew_when_the_time_range_changes(found):
    choices = found["templating"]["list"][1:]
    assert {choice["refresh"] for choice in choices} == {2}
    assert all(choice["label"] for choice in choices)


def test_everything_asks_the_chosen_datasource(found):
    asking = [
        *found["templating"]["list"][1:],
        *found["annotations"]["list"],
        *panels_of(found),
        *targets_of(found),
    ]
    assert {one["datasource"]["uid"] for one in asking} == {"$datasource"}


def test_every_variable_in_use_is_a_choice(found):
    names = {choice["name"] for choice in found["templating"]["list"]}
    values = dict.fromkeys(names, "x") | GRAFANAS_OWN
    asked = [
        *(target["expr"] for target in targets_of(found)),
        *(mark["expr"] for mark in found["annotations"]["list"]),
        *(choice["query"]["query"] for choice in found["templating"]["list"][1:]),
        *(panel["title"] for panel in panels_of(found)),
    ]
    for text in asked:
        assert "$" not in interpolate(text, values)
    assert {panel["repeat"] for panel in panels_of(found) if "repeat" in panel} <= names


def test_no_two_panels_overlap_or_leave_the_grid(found):
    places = [panel["gridPos"] for panel in found["panels"]]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    for one, other in combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below


def test_panels_side_by_side_fill_the_width_and_are_of_one_height(found):
    lines = {}
    for panel in panels_of(found):
        lines.setdefault(panel["gridPos"]["y"], []).append(panel["gridPos"])
    for line in lines.values():
        assert sum(place["w"] for place in line) == 24
        assert len({place["h"] for place in line}) == 1


def test_rows_and_panels_have_ids_of_their_own(found):
    ids = [panel["id"] for panel in everything_of(found)]
    assert len(set(ids)) == len(ids)


def test_every_row_has_panels(found):
    kinds = [panel["type"] for panel in found["panels"]]
    for panel, after in zip(found["panels"], [*kinds[1:], "row"], strict=True):
        if panel["type"] == "row":
            assert panel["panels"] if panel["collapsed"] else after != "row"


def test_every_panel_says_what_it_shows_and_how_to_read_it(found):
    for panel in panels_of(found):
        assert panel["title"]
        assert re.fullmatch(r"[\w>].{10,}[.]", panel["description"]), panel["title"]


def test_every_panel_has_a_unit_and_asks_something(found):
    for panel in panels_of(found):
        assert panel["fieldConfig"]["defaults"]["unit"] in list(Unit)
        assert panel["targets"]
        assert all(target["expr"] for target in panel["targets"])


def test_queries_of_a_panel_have_references_of_their_own(found):
    for panel in panels_of(found):
        references = [target["refId"] for target in panel["targets"]]
        assert references == sorted(set(references))


def test_a_legend_names_labels_that_the_answer_has(found):
    for target in targets_of(found):
        named = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
        kept = chain.from_iterable(
            listed.split(", ")
            for listed in re.findall(r"(?:by|group_left) \(([\w, ]+)\)", target["expr"])
        )
        assert named <= set(kept), target


def test_a_table_shows_no_column_without_a_head(found):
    for table in (panel for panel in panels_of(found) if panel["type"] == "table"):
        organized = table["transformations"][1]["options"]
        heads = {
            override["matcher"]["options"]
            for override in table["fieldConfig"]["overrides"]
            for each in override["properties"]
            if each["id"] == "displayName"
        }
        columns = set(organized["indexByName"]) | {"Time"}
        assert columns - set(organized["excludeByName"]) == heads
