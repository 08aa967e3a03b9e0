//! Numbers in running text.

/// The last number: with its sign, thousands, decimals, a fraction `a/b` or a mixed number `1 1/2`, and a percent sign. Digits
/// that follow a letter, as in `x1`, are no number.
pub(super) fn last(text: &str) -> Option<&str> {
    let bytes = text.as_bytes();
    let mut found = None;
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let starts = byte.is_ascii_digit() || *byte == b'.' && digit_at(bytes, at + 1);
        let end = if starts { number_end(bytes, at) } else { at + 1 };
        if starts && !follows_letter(text, at) {
            found = text.get(sign_start(text, at)..end);
        }
        at = end;
    }
    found
}

fn digit_at(bytes: &[u8], at: usize) -> bool {
    bytes.get(at).is_some_and(u8::is_ascii_digit)
}

fn follows_letter(text: &str, at: usize) -> bool {
    text.get(..at).is_some_and(|before| before.ends_with(|c: char| c.is_alphabetic() || c == '_'))
}

/// Where the number that starts at `at` ends.
fn number_end(bytes: &[u8], at: usize) -> usize {
    let mut end = decimal_end(bytes, at);
    if let Some(fraction) = fraction_end(bytes, end) {
        end = fraction;
    } else if bytes.get(end) == Some(&b' ') && digit_at(bytes, end + 1) {
        let numerator = digits_end(bytes, end + 1);
        end = fraction_end(bytes, numerator).unwrap_or(end);
    }
    let space = end + usize::from(bytes.get(end) == Some(&b' '));
    match bytes.get(space..).unwrap_or_default() {
        [b'%', ..] => space + 1,
        [b'\\', b'%', ..] => space + 2,
        _ => end,
    }
}

/// Where digits with thousands separators and decimals end.
fn decimal_end(bytes: &[u8], at: usize) -> usize {
    let mut end = digits_end(bytes, at);
    while bytes.get(end) == Some(&b',') && digits_end(bytes, end + 1) == end + 4 {
        end += 4;
    }
    if bytes.get(end) == Some(&b'.') && digit_at(bytes, end + 1) { digits_end(bytes, end + 1) } else { end }
}

/// Where `/b` at `at` ends.
fn fraction_end(bytes: &[u8], at: usize) -> Option<usize> {
    (bytes.get(at) == Some(&b'/') && digit_at(bytes, at + 1)).then(|| digits_end(bytes, at + 1))
}

fn digits_end(bytes: &[u8], at: usize) -> usize {
    let digits = bytes.get(at..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_digit());
    at + digits.count()
}

/// Where the sign of the number at `at` starts, over a currency sign: `-5`, `-$5`. A sign after a letter, a digit or a closing
/// bracket is an operation.
fn sign_start(text: &str, at: usize) -> usize {
    let before = text.get(..at).unwrap_or_default();
    let before = before.strip_suffix('$').unwrap_or(before);
    match before.strip_suffix(['-', '−', '+']) {
        Some(rest) if !rest.ends_with(|c: char| c.is_alphanumeric() || ")]}$-−+.".contains(c)) => rest.len(),
        _ => at,
    }
}
