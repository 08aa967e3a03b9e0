use super::*;

fn rendered(source: &str) -> Result<String> {
    ChatTemplate::new(source)?.render(&[], &Variables::default())
}

#[track_caller]
fn renders(source: &str, expected: &str) {
    assert_eq!(rendered(source).unwrap(), expected, "{source}");
}

/// What `jinja2` gives, with the settings of transformers.
#[test]
fn python_is_spoken() {
    renders("{{ ' a '.strip() ~ '|' ~ 'xax'.strip('x') ~ '|' ~ '\\n\\nb'.lstrip('\\n') }}", "a|a|b");
    renders("{{ '\x1c a \x1f'.strip() ~ ('\x1ca\x1f' | trim) }}", "aa");
    renders("{{ ' a  b '.split() | length }}{{ 'a,b,c'.rsplit(',', 1)[0] }}", "2a,b");
    renders("{{ 'a</think>b'.split('</think>')[-1] }}{{ 'ab'.startswith('a') }}{{ none }}", "bTrueNone");
    renders("{{ 'abc'.removeprefix('ab') }}{{ 'abc'.removesuffix('x') }}", "cabc");
    renders("{% for x in [1, 2, 3][::-1] %}{% if x == 2 %}{% continue %}{% endif %}{{ x }}{% endfor %}", "31");
    renders("{% set ns = namespace(n=0) %}{% for x in [1, 2] %}{% set ns.n = ns.n + x %}{% endfor %}{{ ns.n }}", "3");
    renders("{{ none is iterable }}{{ [] is iterable }}{{ 'a' is iterable }}", "FalseTrueTrue");
    renders("{%- for x in [1] %}\n  {% if x %}\nyes\n  {% endif %}\n{% endfor %}\n", "yes\n");
    renders("a{%- generation -%} b {% endgeneration %}\nc", "ab c");
}

#[test]
fn json_is_that_of_python() {
    let value = "{'b': [1, 2.5, none, true], 'a': {}, 'é<': \"x'\\n\"}";
    renders(&format!("{{{{ {value} | tojson }}}}"), r#"{"b": [1, 2.5, null, true], "a": {}, "é<": "x'\n"}"#);
    renders("{{ {'b': [1, []], 'a': 2} | tojson(indent=2) }}", "{\n  \"b\": [\n    1,\n    []\n  ],\n  \"a\": 2\n}");
    renders("{{ {'b': 1, 'a': 'é'} | tojson(sort_keys=true, ensure_ascii=true) }}", r#"{"a": "\u00e9", "b": 1}"#);
    renders("{{ [1, 2] | tojson(separators=(',', ':')) }}", "[1,2]");
}

#[test]
fn the_date_is_given_or_undefined() {
    let source = "{{ strftime_now('%d %b %Y') if strftime_now is defined else 'none' }}";
    let template = ChatTemplate::new(source).unwrap();
    assert_eq!(template.render(&[], &Variables::default()).unwrap(), "none");
    assert_eq!(template.on(2024, 7, 26).unwrap().render(&[], &Variables::default()).unwrap(), "26 Jul 2024");
    assert!(template.on(2024, 13, 1).is_err());
    fails("\n{{ strftime_now('%Y') }}", "line 2: it asks for today's date: give a date");
}

#[track_caller]
fn fails(source: &str, expected: &str) {
    let message = rendered(source).unwrap_err().to_string();
    assert!(message.contains(expected), "{message}");
}

#[test]
fn errors_name_the_line() {
    fails("a\n{{ x", "chat template, line 2: ");
    fails("a\n\n{{ raise_exception('no system role') }}", "line 3: it refuses the conversation: no system role");
    fails("{{ nobody.home }}", "line 1: undefined value");
    fails("{{ messages[0].content }}", "line 1: undefined value");
    fails("{{ 'a'.unheard_of() }}", "line 1: unknown method: ");
    fails("{% include '/etc/passwd' %}", "line 1: ");
}

#[test]
fn hostile_templates_end() {
    fails("{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}", "number of instructions");
    fails("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "recursion limit");
    fails("{% for i in range(1000) %}{{ 'x' * 100000 }}{% endfor %}", "many times as long");
    fails("{{ 'x' * 100000000000 }}", "too large");
    fails(&format!("{}1{}", "{{ (".repeat(500), ")".repeat(500)), "line 1: ");
    fails(&"{{ ((((((((((".repeat(1000), "line 1: ");
    fails(&"{% if 1 %}".repeat(20_000), "line 1: ");
    fails(&"x".repeat(MOST_SOURCE + 1), "where at most");
    fails("{{ [] | tojson(indent=99999999999999999999) }}", "line 1");
}
