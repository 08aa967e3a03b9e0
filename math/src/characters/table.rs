//! The table of characters. Names of commands end in a space, so that a letter may follow.

/// What LaTeX or ASCII writes for a character; empty for one that is removed, `None` for one that stays.
pub(super) fn ascii(c: char) -> Option<&'static str> {
    space(c).or_else(|| punctuation(c)).or_else(|| sign(c)).or_else(|| greek(c)).or_else(|| fraction(c))
}

/// The ASCII character of a full-width form or of a letter or digit in a mathematical font; any other as it is.
pub(super) fn plain(c: char) -> char {
    let code = u32::from(c);
    let mapped = match code {
        0xFF01..=0xFF5E => code - 0xFEE0,
        // Fonts of 52 letters each.
        0x1D400..=0x1D6A3 => match (code - 0x1D400) % 52 {
            capital @ 0..26 => u32::from(b'A') + capital,
            small => u32::from(b'a') + small - 26,
        },
        // Fonts of ten digits each.
        0x1D7CE..=0x1D7FF => u32::from(b'0') + (code - 0x1D7CE) % 10,
        _ => code,
    };
    char::from_u32(mapped).unwrap_or(c)
}

/// The character that a superscript raises.
pub(super) fn superscript(c: char) -> Option<char> {
    paired(c, "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁱⁿᵃᵇᶜᵈᵉᵏᵐᵖᵗˣʸᶻ", "0123456789+-=()inabcdekmptxyz")
}

/// The character that a subscript lowers.
pub(super) fn subscript(c: char) -> Option<char> {
    paired(c, "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₒₓₕₖₗₘₙₚₛₜᵢⱼᵣ", "0123456789+-=()aeoxhklmnpstijr")
}

fn paired(c: char, from: &str, to: &str) -> Option<char> {
    from.chars().zip(to.chars()).find_map(|(from, to)| (from == c).then_some(to))
}

/// White space, and what has no width.
fn space(c: char) -> Option<&'static str> {
    Some(match c {
        '\u{2009}' | '\u{202F}' => r"\,",
        // Signs that are not shown: a comma and a plus. Times and function application, below, say nothing.
        '\u{2063}' => ",",
        '\u{2064}' => "+",
        // A soft hyphen, joiners, marks of direction, variation selectors, tags.
        '\u{AD}' | '\u{61C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' => "",
        '\u{2060}'..='\u{206F}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{E0000}'..='\u{E0FFF}' => "",
        ' '..='~' => return None,
        _ if c.is_whitespace() => " ",
        _ if c.is_control() => "",
        _ => return None,
    })
}

fn punctuation(c: char) -> Option<&'static str> {
    Some(match c {
        '−' | '‐' | '‑' | '‒' | '–' | '﹣' => "-",
        '÷' | '∕' | '⁄' => "/",
        '∗' => "*",
        '∶' => ":",
        '∣' => "|",
        '、' => ",",
        '。' => ".",
        '‘' | '’' | '′' => "'",
        '“' | '”' => "\"",
        '″' => "''",
        '‴' => "'''",
        '°' | 'º' => r"^\circ ",
        'ℝ' => r"\mathbb{R}",
        'ℤ' => r"\mathbb{Z}",
        'ℕ' => r"\mathbb{N}",
        'ℚ' => r"\mathbb{Q}",
        'ℂ' => r"\mathbb{C}",
        _ => return None,
    })
}

fn sign(c: char) -> Option<&'static str> {
    Some(match c {
        '×' | '✕' | '⨯' => r"\times ",
        '·' | '⋅' | '∙' | '•' => r"\cdot ",
        '±' => r"\pm ",
        '∓' => r"\mp ",
        '≤' | '⩽' | '≦' => r"\le ",
        '≥' | '⩾' | '≧' => r"\ge ",
        '≠' => r"\ne ",
        '≈' => r"\approx ",
        '≡' => r"\equiv ",
        '≅' => r"\cong ",
        '∼' => r"\sim ",
        '∝' => r"\propto ",
        '∞' => r"\infty ",
        '∑' => r"\sum ",
        '∏' => r"\prod ",
        '∫' => r"\int ",
        '∂' => r"\partial ",
        '∇' => r"\nabla ",
        '∪' => r"\cup ",
        '∩' => r"\cap ",
        '∈' => r"\in ",
        '∉' => r"\notin ",
        '∅' => r"\emptyset ",
        '∖' => r"\setminus ",
        '⊂' => r"\subset ",
        '⊆' => r"\subseteq ",
        '⊃' => r"\supset ",
        '⊇' => r"\supseteq ",
        '∧' => r"\land ",
        '∨' => r"\lor ",
        '¬' => r"\neg ",
        '∀' => r"\forall ",
        '∃' => r"\exists ",
        '⌊' => r"\lfloor ",
        '⌋' => r"\rfloor ",
        '⌈' => r"\lceil ",
        '⌉' => r"\rceil ",
        '⟨' | '〈' => r"\langle ",
        '⟩' | '〉' => r"\rangle ",
        '∠' => r"\angle ",
        '⊥' => r"\perp ",
        '∥' => r"\parallel ",
        '△' => r"\triangle ",
        '∘' => r"\circ ",
        'ℓ' => r"\ell ",
        '→' | '⟶' => r"\to ",
        '⇒' | '⟹' => r"\Rightarrow ",
        '⇔' | '⟺' => r"\Leftrightarrow ",
        '…' | '⋯' => r"\ldots ",
        _ => return None,
    })
}

/// Greek letters. Omicron and the capitals that look Latin have no command and stay.
fn greek(c: char) -> Option<&'static str> {
    Some(match c {
        'α' => r"\alpha ",
        'β' => r"\beta ",
        'γ' => r"\gamma ",
        'δ' => r"\delta ",
        'ε' | 'ϵ' => r"\epsilon ",
        'ζ' => r"\zeta ",
        'η' => r"\eta ",
        'θ' | 'ϑ' => r"\theta ",
        'ι' => r"\iota ",
        'κ' | 'ϰ' => r"\kappa ",
        'λ' => r"\lambda ",
        'μ' | '\u{B5}' => r"\mu ",
        'ν' => r"\nu ",
        'ξ' => r"\xi ",
        'π' | 'ϖ' => r"\pi ",
        'ρ' | 'ϱ' => r"\rho ",
        'σ' | 'ς' => r"\sigma ",
        'τ' => r"\tau ",
        'υ' => r"\upsilon ",
        'φ' | 'ϕ' => r"\phi ",
        'χ' => r"\chi ",
        'ψ' => r"\psi ",
        'ω' => r"\omega ",
        'Γ' => r"\Gamma ",
        'Δ' | '∆' => r"\Delta ",
        'Θ' => r"\Theta ",
        'Λ' => r"\Lambda ",
        'Ξ' => r"\Xi ",
        'Π' => r"\Pi ",
        'Σ' => r"\Sigma ",
        'Φ' => r"\Phi ",
        'Ψ' => r"\Psi ",
        'Ω' | '\u{2126}' => r"\Omega ",
        _ => return None,
    })
}

fn fraction(c: char) -> Option<&'static str> {
    Some(match c {
        '½' => r"\frac{1}{2}",
        '⅓' => r"\frac{1}{3}",
        '⅔' => r"\frac{2}{3}",
        '¼' => r"\frac{1}{4}",
        '¾' => r"\frac{3}{4}",
        '⅕' => r"\frac{1}{5}",
        '⅖' => r"\frac{2}{5}",
        '⅗' => r"\frac{3}{5}",
        '⅘' => r"\frac{4}{5}",
        '⅙' => r"\frac{1}{6}",
        '⅚' => r"\frac{5}{6}",
        '⅐' => r"\frac{1}{7}",
        '⅛' => r"\frac{1}{8}",
        '⅜' => r"\frac{3}{8}",
        '⅝' => r"\frac{5}{8}",
        '⅞' => r"\frac{7}{8}",
        '⅑' => r"\frac{1}{9}",
        '⅒' => r"\frac{1}{10}",
        _ => return None,
    })
}
