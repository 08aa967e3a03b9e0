//! Sizes in bytes, as people write them.

const UNITS: [&str; 7] = ["bytes", "KB", "MB", "GB", "TB", "PB", "EB"];

/// In decimal units: `1.980 GB`.
pub fn size(bytes: f64) -> String {
    let step = (0..UNITS.len() - 1).find(|&step| bytes < 1000_f64.powi(step as i32 + 1)).unwrap_or(UNITS.len() - 1);
    format!("{:.3} {}", bytes / 1000_f64.powi(step as i32), UNITS[step])
}

/// A count with its digits in groups of three: `12,582,912`.
pub fn count(number: f64) -> String {
    if !(0.0..1e15).contains(&number) {
        return format!("{number:e}");
    }
    let digits = format!("{number:.0}");
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().filter_map(|group| str::from_utf8(group).ok()).collect();
    groups.join(",")
}

/// What `80GB`, `23.5 gb` or `64e9` is in bytes; `None` where it is no size.
pub fn bytes_of(text: &str) -> Option<f64> {
    let text = text.trim().to_uppercase();
    let (number, scale) = match UNITS.iter().enumerate().skip(1).find(|(_, unit)| text.ends_with(*unit)) {
        Some((step, unit)) => (text.trim_end_matches(unit), 1000_f64.powi(step as i32)),
        None => (text.as_str(), 1.0),
    };
    let bytes = number.trim().parse::<f64>().ok()? * scale;
    (bytes.is_finite() && bytes > 0.0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_they_are_written() {
        for (text, bytes) in [("80GB", 80e9), (" 23.5 gb", 23.5e9), ("64e9", 64e9), ("512 MB", 512e6), ("1", 1.0)] {
            assert_eq!(bytes_of(text), Some(bytes), "{text}");
        }
        for text in ["", "GB", "-3GB", "nanGB", "0", "3 apples"] {
            assert_eq!(bytes_of(text), None, "{text}");
        }
        assert_eq!([0.0, 999.0, 1e3, 12_582_912.0, 1e18].map(count), ["0", "999", "1,000", "12,582,912", "1e18"]);
        assert_eq!((size(1.98e9), size(999.0)), ("1.980 GB".into(), "999.000 bytes".into()));
    }
}
