use std::borrow::Cow;

use proptest::prelude::*;

use super::clean;

fn check(cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        assert_eq!(clean(text), *expected, "{text:?}");
    }
}

#[test]
fn printable_ascii_is_borrowed() {
    for text in ["", r"\frac{1}{2} + x^2", "~"] {
        assert!(matches!(clean(text), Cow::Borrowed(same) if same == text));
    }
}

#[test]
fn invisible_characters_are_removed_and_white_space_is_a_space() {
    check(&[
        ("1\u{200B}2\u{FEFF}\u{202E}3\u{0}\u{7F}\u{AD}4\u{2062}5\u{FE0F}", "12345"),
        ("1\t2\n3\r4\u{A0}5\u{3000}6\u{2003}7\u{85}8\u{2028}9", "1 2 3 4 5 6 7 8 9"),
        ("12\u{2009}345\u{202F}678", r"12\,345\,678"),
        ("a\u{2063}b\u{2064}c", "a,b+c"),
    ]);
}

#[test]
fn signs_become_what_latex_or_ascii_writes() {
    check(&[
        ("−1 – 2‒3", "-1 - 2-3"),
        ("2×3·4⋅5∙6÷7", r"2\times 3\cdot 4\cdot 5\cdot 6/7"),
        ("x≤1, y≥2, z≠3, w≈4", r"x\le 1, y\ge 2, z\ne 3, w\approx 4"),
        ("(−∞,∞)", r"(-\infty ,\infty )"),
        ("A∪B∩C∖∅", r"A\cup B\cap C\setminus \emptyset "),
        ("x∈ℝ, n∈ℤ", r"x\in \mathbb{R}, n\in \mathbb{Z}"),
        ("ℕℚℂ", r"\mathbb{N}\mathbb{Q}\mathbb{C}"),
        ("30°15′20″", r"30^\circ 15'20''"),
        ("f’(x) “so”", "f'(x) \"so\""),
        ("1±2∓3", r"1\pm 2\mp 3"),
        ("⌊x⌋+⌈y⌉", r"\lfloor x\rfloor +\lceil y\rceil "),
        ("⟨1,2⟩", r"\langle 1,2\rangle "),
        ("∠ABC ⊥ d", r"\angle ABC \perp  d"),
        ("{x∣x>1}", "{x|x>1}"),
        ("1⁄2", "1/2"),
        ("（１，２）＋ｘ＝３", "(1,2)+x=3"),
        ("𝑥+𝐀+𝟕", "x+A+7"),
    ]);
}

#[test]
fn greek_letters_are_commands_and_look_alikes_stay() {
    check(&[
        ("2πr", r"2\pi r"),
        ("αβγθλφωΔΣΩ", r"\alpha \beta \gamma \theta \lambda \phi \omega \Delta \Sigma \Omega "),
        ("\u{B5}∆\u{2126}", r"\mu \Delta \Omega "),
        ("\u{430}", "\u{430}"),
        ("\u{391}\u{392}\u{395}\u{3BF}", "\u{391}\u{392}\u{395}\u{3BF}"),
        ("é", "é"),
    ]);
}

#[test]
fn raised_and_lowered_runs_are_exponents_and_indices() {
    check(&[
        ("x²+y³", "x^{2}+y^{3}"),
        ("10⁻¹²", "10^{-12}"),
        ("aⁿ⁺¹", "a^{n+1}"),
        ("x₁₂+aₙ", "x_{12}+a_{n}"),
        ("x₁²", "x_{1}^{2}"),
    ]);
}

#[test]
fn fractions_have_a_numerator_and_a_denominator() {
    check(&[
        ("½", r"\frac{1}{2}"),
        ("−3½", r"-3\frac{1}{2}"),
        ("⅒+⅞", r"\frac{1}{10}+\frac{7}{8}"),
        ("¹⁄₂", r"\frac{1}{2}"),
        ("²/₃", r"\frac{2}{3}"),
        ("x²/3", "x^{2}/3"),
    ]);
}

#[test]
fn a_root_reaches_over_the_next_atom() {
    check(&[
        ("√2", r"\sqrt{2}"),
        ("3√12x", r"3\sqrt{12}x"),
        ("√ 2.5.", r"\sqrt{2.5}."),
        ("√(x+1)/2", r"\sqrt{(x+1)}/2"),
        ("√（x）", r"\sqrt{(x)}"),
        ("√(1+√(x)(2))·(3)", r"\sqrt{(1+\sqrt{(x)}(2))}\cdot (3)"),
        ("√x", r"\sqrt x"),
        ("√π", r"\sqrt \pi "),
        ("√{2}", r"\sqrt {2}"),
        ("√√2", r"\sqrt \sqrt{2}"),
        ("∛8+∜(16)", r"\sqrt[3]{8}+\sqrt[4]{(16)}"),
        ("√", r"\sqrt "),
        (")√(x", r")\sqrt{(x"),
    ]);
}

proptest! {
    #[test]
    fn what_is_clean_stays_clean(text in "[a-z0-9 \u{370}-\u{3ff}\u{2000}-\u{22ff}½²₁（\u{0}-\u{1f}]*") {
        let once = clean(&text).into_owned();
        prop_assert_eq!(&clean(&once), &once);
    }

    #[test]
    fn nothing_invisible_is_left(text in ".*") {
        let invisible = |c: char| c.is_control() || c == '\u{200B}' || c.is_whitespace() && c != ' ';
        prop_assert!(!clean(&text).contains(invisible));
    }
}

/// Each `√` looks once at what follows it.
#[test]
fn hostile_texts_take_linear_time() {
    for part in ["√", "√(", ")", "√1", "¹", "¹⁄", "¹⁄₂", "₁", "√ ", "\u{200B}"] {
        clean(&part.repeat(30_000));
    }
}
