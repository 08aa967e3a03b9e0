//! Comparison of two vectors.

use serde::Serialize;

/// A vector `a` compared with a vector `b`: length, angle and distance.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Direction {
    /// Projection of `a` on `b` in units of `b`, `a·b / |b|²`: 1 if they are equal, the factor between them if they are
    /// parallel. If `b` is zero: 0 if `a` is zero too, else 1.
    pub scale: f64,
    /// Angle between them in degrees; 0 if one of them is zero.
    pub angle: f64,
    /// `|a - b| / |b|`; `|a - b|` if `b` is zero.
    pub off: f64,
}

impl Direction {
    /// Compares `a` with `b`, which must have the same number of elements.
    pub fn new(a: &[f64], b: &[f64]) -> Direction {
        let (length_a, length_b) = (norm(a), norm(b));
        let dot: f64 = a.iter().zip(b).map(|(a, b)| a * b).sum();
        let difference: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
        let off = if length_b > 0.0 { norm(&difference) / length_b } else { norm(&difference) };
        let scale = if length_b > 0.0 { dot / (length_b * length_b) } else { f64::from(length_a > 0.0) };
        Direction { scale, angle: angle(a, length_a, b, length_b), off }
    }
}

/// Angle in degrees from the sum and the difference of the unit vectors, which is accurate for small angles too (Kahan
/// 2006, section 12).
fn angle(a: &[f64], length_a: f64, b: &[f64], length_b: f64) -> f64 {
    if length_a == 0.0 || length_b == 0.0 {
        return 0.0;
    }
    let unit = |sign: f64| {
        let parts: Vec<f64> = a.iter().zip(b).map(|(a, b)| a / length_a + sign * b / length_b).collect();
        norm(&parts)
    };
    2.0 * unit(-1.0).atan2(unit(1.0)).to_degrees()
}

/// Euclidean norm.
pub fn norm(a: &[f64]) -> f64 {
    a.iter().map(|a| a * a).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions_of_known_vectors() {
        let seen = Direction::new(&[0.0, 3.0], &[0.0, 2.0]);
        assert_eq!((seen.scale, seen.angle, seen.off), (1.5, 0.0, 0.5));
        let seen = Direction::new(&[1.0, 1.0], &[2.0, 0.0]);
        assert!((seen.scale - 0.5).abs() < 1e-15 && (seen.angle - 45.0).abs() < 1e-12, "{seen:?}");
        assert!((Direction::new(&[-1.0, 0.0], &[2.0, 0.0]).angle - 180.0).abs() < 1e-12);
        assert_eq!(Direction::new(&[0.0], &[0.0]), Direction { scale: 0.0, angle: 0.0, off: 0.0 });
        let slight = Direction::new(&[1.0, 1e-9], &[1.0, 0.0]).angle.to_radians();
        assert!((slight - 1e-9).abs() < 1e-17, "{slight}");
    }
}
