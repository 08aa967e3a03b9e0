//! Text and marks stand out from what is behind them, in both themes (WCAG 2.2, AA).

use std::collections::BTreeMap;

type Theme = BTreeMap<String, [f64; 3]>;

/// The themes: each block of the style sheet that sets `--bg`.
fn themes() -> Vec<Theme> {
    let css = include_str!("../../src/report/page.css");
    let blocks = css.split('{').map(|rest| rest.split('}').next().unwrap()).filter(|block| block.contains("--bg:"));
    let colour = |hex: &str| [1, 3, 5].map(|i| f64::from(u8::from_str_radix(&hex[i..i + 2], 16).unwrap()) / 255.0);
    let theme = |block: &str| {
        let settings = block.split(';').filter_map(|setting| setting.trim().split_once(':'));
        let colours = settings.filter(|(name, _)| name.starts_with("--"));
        colours.map(|(name, hex)| (name[2..].to_owned(), colour(hex.trim()))).collect()
    };
    blocks.map(theme).collect()
}

fn luminance(colour: [f64; 3]) -> f64 {
    let linear = colour.map(|c| if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) });
    0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
}

fn contrast(a: [f64; 3], b: [f64; 3]) -> f64 {
    let (a, b) = (luminance(a) + 0.05, luminance(b) + 0.05);
    if a > b { a / b } else { b / a }
}

#[test]
fn text_and_marks_can_be_read_in_every_theme() {
    assert!((contrast([1.0; 3], [0.0; 3]) - 21.0).abs() < 1e-9);
    let themes = themes();
    assert_eq!(themes.len(), 3, "light, dark by the system, dark by the button");
    assert_eq!(themes[1], themes[2], "dark is dark, whoever asked for it");
    for theme in &themes {
        let of = |a: &str, b: &str| contrast(theme[a], theme[b]);
        for (text, behind) in ["bg", "panel"]
            .iter()
            .flat_map(|behind| ["fg", "muted", "link", "good", "bad", "warn"].map(|text| (text, *behind)))
        {
            assert!(of(text, behind) >= 4.5, "{text} on {behind}: {:.2}", of(text, behind));
        }
        for heat in ["plus", "minus"] {
            assert!(of("fg", heat) >= 4.5, "a token on {heat}: {:.2}", of("fg", heat));
            assert!(of("bg", heat) >= 1.3, "{heat} is seen: {:.2}", of("bg", heat));
        }
        for (variant, behind) in (0..8).flat_map(|i| ["bg", "panel"].map(|behind| (format!("v{i}"), behind))) {
            assert!(of(&variant, behind) >= 3.0, "{variant} on {behind}: {:.2}", of(&variant, behind));
        }
    }
}
