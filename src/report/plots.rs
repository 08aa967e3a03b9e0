//! Curves as pictures. The font is part of the program, so that pictures are the same on every machine.

use std::sync::Arc;

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb};

use crate::error::{Error, Result};

/// Pixels of a PNG for each unit of the drawing.
const SCALE: f32 = 3.0;

/// An SVG file as a PNG.
pub(crate) fn png(svg: &str) -> Result<Vec<u8>> {
    let failed = |problem: &dyn std::fmt::Display| Error::part("plots", problem.to_string());
    let mut fonts = fontdb::Database::new();
    fonts.load_font_data(epaint_default_fonts::UBUNTU_LIGHT.to_vec());
    fonts.set_sans_serif_family("Ubuntu");
    let options = Options { fontdb: Arc::new(fonts), ..Options::default() };
    let tree = Tree::from_str(svg, &options).map_err(|problem| failed(&problem))?;
    let size = tree.size().to_int_size();
    let scaled = |length: u32| (length as f32 * SCALE) as u32;
    let mut picture = Pixmap::new(scaled(size.width()), scaled(size.height())).ok_or_else(|| failed(&"no size"))?;
    resvg::render(&tree, Transform::from_scale(SCALE, SCALE), &mut picture.as_mut());
    picture.encode_png().map_err(|problem| failed(&problem))
}

/// A metric's name as that of a file, without its ending.
pub(crate) fn file_name(metric: &str) -> String {
    metric.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).collect()
}
