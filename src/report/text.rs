//! Text of others on a page: escaped, bounded, and with nothing hidden in it.

/// Escaped for HTML and SVG.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(shown(c).unwrap_or(c)),
        }
    }
    escaped
}

/// At most so many characters, with control characters and marks of direction made visible, and what is left out told.
pub(crate) fn visible(text: &str, most: usize) -> String {
    let mut shown_text = String::new();
    for c in text.chars().take(most) {
        match c {
            '\n' => shown_text.push('\n'),
            c if is_hidden(c) => shown_text.push_str(&format!("⟨U+{:04X}⟩", u32::from(c))),
            c => shown_text.push(shown(c).unwrap_or(c)),
        }
    }
    let left = text.chars().skip(most).count();
    if left > 0 {
        shown_text.push_str(&format!(" … ({left} more characters)"));
    }
    shown_text
}

/// The picture of a control character.
fn shown(c: char) -> Option<char> {
    match u32::from(c) {
        10 => None,
        code @ 0..=31 => char::from_u32(0x2400 + code),
        127 => Some('\u{2421}'),
        0x80..=0x9f => Some('\u{fffd}'),
        _ => None,
    }
}

/// Has no width, or changes the direction of what stands beside it.
fn is_hidden(c: char) -> bool {
    matches!(u32::from(c),
        0xad | 0x61c | 0x180e | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f | 0xfeff | 0xfff9..=0xfffb | 0xe0000..=0xe0fff)
}

/// JSON for a `<script>`: nothing in it can end the element.
pub(crate) fn script(value: &impl serde::Serialize) -> serde_json::Result<String> {
    let json = serde_json::to_string(value)?;
    let mut safe = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => safe.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => safe.push(c),
        }
    }
    Ok(safe)
}

/// An argument of a POSIX shell.
pub(crate) fn quoted(argument: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./=,:+@%".contains(c);
    match !argument.is_empty() && argument.chars().all(plain) {
        true => argument.to_owned(),
        false => format!("'{}'", argument.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_hidden() {
        assert_eq!(visible("a\u{202e}b\u{0}\tc\u{200b}\u{85}\n", 99), "a⟨U+202E⟩b␀␉c⟨U+200B⟩\u{fffd}\n");
        assert_eq!(visible("abcdef", 4), "abcd … (2 more characters)");
        assert_eq!(escaped("<b \"'&\u{7}>"), "&lt;b &quot;&#39;&amp;␇&gt;");
    }

    #[test]
    fn no_text_ends_a_script() {
        let json = script(&["</script><!--", "\u{2028}"]).unwrap();
        assert_eq!(json, "[\"\\u003c/script\\u003e\\u003c!--\",\"\\u2028\"]");
    }

    #[test]
    fn arguments_are_quoted() {
        assert_eq!(quoted("runs/a-1/config.toml"), "runs/a-1/config.toml");
        assert_eq!(quoted("it's $x"), "'it'\\''s $x'");
    }
}
