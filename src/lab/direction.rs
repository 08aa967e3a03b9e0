//! One vector beside another.

use serde::Serialize;

/// Where a vector points, seen from another.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Direction {
    /// Length along the other, in units of it: 1 where they are equal, and the factor between them where they are parallel.
    pub scale: f64,
    /// Degrees between them; 0 where one of them is zero.
    pub angle: f64,
    /// Length of the difference, in units of the other.
    pub off: f64,
}

impl Direction {
    /// Of `a`, seen from `b`.
    pub fn new(a: &[f64], b: &[f64]) -> Direction {
        let (long, wide) = (norm(a), norm(b));
        let dot: f64 = a.iter().zip(b).map(|(a, b)| a * b).sum();
        let difference: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
        let off = if wide > 0.0 { norm(&difference) / wide } else { norm(&difference) };
        let scale = if wide > 0.0 { dot / (wide * wide) } else { f64::from(long > 0.0) };
        Direction { scale, angle: angle(a, long, b, wide), off }
    }
}

/// By the sum and the difference of the unit vectors, which is accurate for small angles too (Kahan 2006, section 12).
fn angle(a: &[f64], long: f64, b: &[f64], wide: f64) -> f64 {
    if long == 0.0 || wide == 0.0 {
        return 0.0;
    }
    let unit = |sign: f64| {
        let parts: Vec<f64> = a.iter().zip(b).map(|(a, b)| a / long + sign * b / wide).collect();
        norm(&parts)
    };
    2.0 * unit(-1.0).atan2(unit(1.0)).to_degrees()
}

/// Euclidean length.
pub fn norm(a: &[f64]) -> f64 {
    a.iter().map(|a| a * a).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_vectors_whose_place_is_known() {
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
