"""Go's templates, as Docker documents their use."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.cli.template.evaluate import Template
from wherry.cli.template.nodes import TemplateError
from wherry.cli.template.values import Row

DATA = {
    "Id": "abcdef",
    "Name": "/web",
    "N": 3,
    "F": 1.5,
    "On": True,
    "Nothing": None,
    "Args": ["a", "b"],
    "Config": {"Env": None, "Labels": {"x": "1", "a": "2"}, "Cmd": ["sh", "-c"]},
    "Ports": {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}], "90/tcp": None},
    "Mounts": [{"Source": "/s", "RW": True}, {"Source": "/t", "RW": False}],
}


@pytest.mark.parametrize(
    ("form", "shown"),
    [
        ("plain", "plain"),
        ("{{.Name}}", "/web"),
        ("{{ .ID }}", "abcdef"),
        ("a {{- .Name -}} b", "a/webb"),
        ("{{/* note */}}x", "x"),
        ("{{.N}} {{.F}} {{.On}} {{.Nothing}}", "3 1.5 true <no value>"),
        ("{{.Args}} {{.Config.Labels}}", "[a b] map[a:2 x:1]"),
        ("{{.Config.Env}}{{len .Config.Env}}{{json .Config.Env}}", "[]0null"),
        ("{{json .Config.Labels}}", '{"x":"1","a":"2"}'),
        ("{{.Config.Cmd | json}}", '["sh","-c"]'),
        ('{{join .Args ", "}}', "a, b"),
        ('{{index .Args 1}} {{index .Config.Labels "x"}}', "b 1"),
        ('{{index .Config.Labels "none"}}|', "|"),
        ('{{(index (index .Ports "80/tcp") 0).HostPort}}', "8080"),
        ("{{range .Args}}<{{.}}>{{end}}", "<a><b>"),
        ("{{range $i, $a := .Args}}{{$i}}={{$a}};{{end}}", "0=a;1=b;"),
        (
            "{{range $p, $c := .Ports}}{{$p}}:{{range $c}}{{.HostPort}}{{end}} {{end}}",
            "80/tcp:8080 90/tcp: ",
        ),
        ("{{range .Config.Env}}x{{else}}empty{{end}}", "empty"),
        ("{{range .Mounts}}{{if .RW}}{{.Source}}{{end}}{{end}}", "/s"),
        ("{{range .Mounts}}{{$.Name}}{{end}}", "/web/web"),
        ("{{if .Nope}}y{{else}}n{{end}}", "n"),
        ("{{if .Nothing}}y{{else if .On}}e{{else}}n{{end}}", "e"),
        ("{{with .Config}}{{.Cmd}}{{end}}{{with .Nothing}}x{{else}}y{{end}}", "[sh -c]y"),
        ("{{if and .On .N}}y{{end}}{{if or .Nothing .On}}y{{end}}{{if not .On}}n{{end}}", "yy"),
        ("{{if eq .N 3}}y{{end}}{{if ne .Name `x`}}y{{end}}{{if gt .N 2}}y{{end}}", "yyy"),
        ('{{if eq .Name "a" "/web"}}y{{end}}', "y"),
        ("{{upper .Name}} {{lower `AB`}} {{title `ab cd`}}", "/WEB ab Ab Cd"),
        ("{{slice .Id 1 3}} {{truncate .Id 2}} [{{pad .Id 1 2}}]", "bc ab [ abcdef  ]"),
        ('{{printf "%s-%03d-%q-%v-%.1f%%" .Id .N .Name .Args .F}}', 'abcdef-003-"/web"-[a b]-1.5%'),
        ("{{len .Id}} {{len .Args}}", "6 2"),
        ('{{range split "a,b" ","}}{{.}}.{{end}}', "a.b."),
        ("{{$x := .N}}{{$x}}{{$x = 4}}{{$x}}", "34"),
        ('{{println "a" 1}}', "a 1\n"),
        ('{{"}}"}}', "}}"),
        ("{{ true }} {{ 'a' }} {{ -1 }}", "true 97 -1"),
    ],
)
def test_rendering(form: str, shown: str) -> None:
    assert Template(form).render(DATA) == shown


@pytest.mark.parametrize(
    "form",
    [
        "{{",
        "{{.Name",
        "{{.Name}",
        "{{if .On}}",
        "{{end}}",
        "{{range}}{{end}}",
        "{{nofunction .}}",
        "{{.Nope}}",
        "{{.Config.Nope}}",
        "{{.Name.Deeper}}",
        "{{.Nothing.Deeper}}",
        "{{index .Args 9}}",
        "{{index .N 1}}",
        "{{len .N}}",
        "{{join .Name}}",
        "{{(.Name}}",
        "{{$x}}",
        '{{"a}}',
        "{{.Name | }}",
        "{{ ? }}",
        "{{range .N}}{{end}}",
        "{{lt .Name .N}}",
    ],
)
def test_what_cannot_be_rendered(form: str) -> None:
    with pytest.raises(TemplateError):
        Template(form).render(DATA)


def test_a_row_as_json_has_its_plain_fields() -> None:
    row = Row(B="<x>", A="1")
    row["Label"] = lambda name: f"[{name}]"
    assert Template("{{json .}}").render(row) == '{"A":"1","B":"\\u003cx\\u003e"}'
    assert Template('{{.Label "t"}} {{"u" | .Label}}').render(row) == "[t] [u]"


@given(st.text(alphabet=st.characters(exclude_characters="{}", codec="utf-8")))
def test_text_outside_of_actions_stays(text: str) -> None:
    assert Template(text).render(None) == text


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(json_values)
def test_json_is_json(value: object) -> None:
    assert json.loads(Template("{{json .}}").render(value)) == value
