//! Shapes of a chart, as SVG and as PNG. The font is part of the program, so pictures are the same on every machine.

use std::io::Write;

use ab_glyph::{Font, FontRef, ScaleFont};
use ab_glyph_rasterizer::{Rasterizer, point};
use flate2::{Compression, Crc, write::ZlibEncoder};

use super::text::escaped;
use crate::error::{Error, Result};

/// Colours of the variants on paper; the page has those of its themes.
pub(crate) const COLOURS: [&str; 8] =
    ["#0b62c4", "#b45309", "#15803d", "#a21caf", "#b91c1c", "#0e7490", "#6b5b00", "#475569"];

/// Pixels of a PNG for each unit of the drawing.
const SCALE: f64 = 3.0;

/// Something that is drawn; places are in units of the drawing, from its top left corner.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    /// A line through points, in the colour of a variant.
    Line {
        stroke: Stroke,
        variant: usize,
        points: Vec<[f64; 2]>,
    },
    /// The area inside an outline, in the pale colour of a variant.
    Area {
        variant: usize,
        outline: Vec<[f64; 2]>,
    },
    Text {
        anchor: Anchor,
        at: [f64; 2],
        text: String,
    },
}

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Stroke {
    Grid,
    Raw,
    Mean,
    /// As a mean, of a variant whose colour is that of another.
    Dashed,
}

/// Where a text stands beside its place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
    /// As at the start, larger.
    Title,
}

impl Shape {
    /// The same so many units further down.
    pub(crate) fn down(mut self, by: f64) -> Shape {
        match &mut self {
            Shape::Line { points, .. } => points.iter_mut().for_each(|point| point[1] += by),
            Shape::Area { outline, .. } => outline.iter_mut().for_each(|point| point[1] += by),
            Shape::Text { at, .. } => at[1] += by,
        }
        self
    }

    /// As an element of SVG. Classes say what it is, so that a style sheet can colour it.
    pub(crate) fn svg(&self) -> String {
        let through =
            |points: &[[f64; 2]]| points.iter().map(|[x, y]| format!("{x:.1} {y:.1}")).collect::<Vec<_>>().join("L");
        match self {
            Shape::Line { stroke, variant, points } => {
                let class = match stroke {
                    Stroke::Grid => "grid".to_owned(),
                    Stroke::Raw => format!("raw v{}", variant % COLOURS.len()),
                    Stroke::Mean => format!("mean v{}", variant % COLOURS.len()),
                    Stroke::Dashed => format!("mean dashed v{}", variant % COLOURS.len()),
                };
                format!("<path class=\"{class}\" d=\"M{}\"/>", through(points))
            }
            Shape::Area { variant, outline } => {
                format!("<path class=\"band v{}\" d=\"M{}Z\"/>", variant % COLOURS.len(), through(outline))
            }
            Shape::Text { anchor, at: [x, y], text } => {
                let class = match anchor {
                    Anchor::Start => "start",
                    Anchor::Middle => "middle",
                    Anchor::End => "end",
                    Anchor::Title => "title",
                };
                format!("<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>", escaped(text))
            }
        }
    }
}

/// The shapes on white paper of this size, as a PNG.
pub(crate) fn png(shapes: &[Shape], size: [f64; 2]) -> Result<Vec<u8>> {
    let font = FontRef::try_from_slice(epaint_default_fonts::UBUNTU_LIGHT);
    let font = font.map_err(|problem| Error::part("plots", problem))?;
    let [width, height] = size.map(|length| (SCALE * length) as usize);
    let mut canvas = Canvas { width, height, pixels: vec![1.0; 3 * width * height] };
    for shape in shapes {
        match shape {
            Shape::Line { stroke, variant, points } => canvas.line(*stroke, *variant, points),
            Shape::Area { variant, outline } => canvas.fill(&[scaled(outline)], colour(*variant), 0.18),
            Shape::Text { anchor, at, text } => canvas.text(&font, *anchor, *at, text),
        }
    }
    encoded(&canvas).map_err(|problem| Error::part("plots", problem))
}

/// Red, green and blue of each pixel, from 0 to 1.
struct Canvas {
    width: usize,
    height: usize,
    pixels: Vec<f32>,
}

impl Canvas {
    /// Lays a colour over a pixel.
    fn blend(&mut self, x: usize, y: usize, colour: [f32; 3], opacity: f32) {
        if x < self.width && y < self.height {
            let pixel = &mut self.pixels[3 * (y * self.width + x)..][..3];
            pixel.iter_mut().zip(colour).for_each(|(old, new)| *old += opacity.clamp(0.0, 1.0) * (new - *old));
        }
    }

    /// Fills polygons; where they overlap, once. Points are in pixels. Only the pixels around them are visited.
    fn fill(&mut self, polygons: &[Vec<[f32; 2]>], colour: [f32; 3], opacity: f32) {
        let ends = |axis: usize, length: usize| {
            let places = polygons.iter().flatten().map(|place| place[axis].clamp(0.0, length as f32 - 1.0));
            let (low, high) = places.fold((f32::INFINITY, 0.0_f32), |(low, high), x| (low.min(x), high.max(x)));
            (low.floor() as usize, high.ceil() as usize + 2)
        };
        let ((left, right), (top, bottom)) = (ends(0, self.width), ends(1, self.height));
        if left >= right || top >= bottom {
            return;
        }
        let mut raster = Rasterizer::new(right - left, bottom - top);
        let inside = |[x, y]: [f32; 2]| {
            let (x, y) = (x.clamp(0.0, self.width as f32 - 1.0), y.clamp(0.0, self.height as f32 - 1.0));
            point(x - left as f32, y - top as f32)
        };
        for polygon in polygons {
            let next = || polygon.iter().cycle().skip(1);
            let area: f32 = polygon.iter().zip(next()).map(|(a, b)| a[0] * b[1] - b[0] * a[1]).sum();
            for (&a, &b) in polygon.iter().zip(next()) {
                let (a, b) = if area < 0.0 { (b, a) } else { (a, b) };
                raster.draw_line(inside(a), inside(b));
            }
        }
        raster.for_each_pixel_2d(|x, y, covered| {
            self.blend(left + x as usize, top + y as usize, colour, opacity * covered.abs().min(1.0));
        });
    }

    /// Each piece of a line as a quadrilateral, with a disc at its ends.
    fn line(&mut self, stroke: Stroke, variant: usize, points: &[[f64; 2]]) {
        let (colour, width, opacity) = match stroke {
            Stroke::Grid => ([0.87; 3], 1.0, 1.0),
            Stroke::Raw => (colour(variant), 0.8, 0.35),
            Stroke::Mean | Stroke::Dashed => (colour(variant), 1.8, 1.0),
        };
        let (half, points) = ((width * SCALE / 2.0) as f32, scaled(points));
        let mut polygons: Vec<Vec<[f32; 2]>> = Vec::new();
        for (i, ends) in points.windows(2).enumerate() {
            let ([x0, y0], [x1, y1]) = (ends[0], ends[1]);
            let length = (x1 - x0).hypot(y1 - y0);
            if length > 0.0 && !(stroke == Stroke::Dashed && i % 3 == 2) {
                let (dx, dy) = ((x1 - x0) / length * half, (y1 - y0) / length * half);
                polygons.push(vec![[x0 - dy, y0 + dx], [x1 - dy, y1 + dx], [x1 + dy, y1 - dx], [x0 + dy, y0 - dx]]);
                polygons.push(disc(ends[1], half));
            }
        }
        self.fill(&polygons, colour, opacity);
    }

    fn text(&mut self, font: &FontRef<'_>, anchor: Anchor, at: [f64; 2], text: &str) {
        let size = if anchor == Anchor::Title { 14.0 } else { 11.5 };
        let font = font.as_scaled((size * SCALE) as f32);
        let advance = |c: char| font.h_advance(font.glyph_id(c));
        let width: f32 = text.chars().map(advance).sum();
        let [x, y] = at.map(|place| (SCALE * place) as f32);
        let mut x = match anchor {
            Anchor::Start | Anchor::Title => x,
            Anchor::Middle => x - width / 2.0,
            Anchor::End => x - width,
        };
        for c in text.chars() {
            let glyph = font.glyph_id(c).with_scale_and_position(font.scale(), ab_glyph::point(x, y));
            if let Some(outline) = font.outline_glyph(glyph) {
                let corner = outline.px_bounds().min;
                outline.draw(|dx, dy, covered| {
                    let place = [corner.x + dx as f32, corner.y + dy as f32];
                    if place.iter().all(|place| *place >= 0.0) {
                        self.blend(place[0] as usize, place[1] as usize, [0.15; 3], covered);
                    }
                });
            }
            x += advance(c);
        }
    }
}

fn scaled(points: &[[f64; 2]]) -> Vec<[f32; 2]> {
    points.iter().map(|point| point.map(|place| (SCALE * place) as f32)).collect()
}

fn disc([x, y]: [f32; 2], radius: f32) -> Vec<[f32; 2]> {
    let corner = |i: u8| f32::from(i) * std::f32::consts::TAU / 12.0;
    (0..12).map(|i| [x + radius * corner(i).cos(), y + radius * corner(i).sin()]).collect()
}

fn colour(variant: usize) -> [f32; 3] {
    let hex = COLOURS[variant % COLOURS.len()];
    [1, 3, 5].map(|i| f32::from(u8::from_str_radix(&hex[i..i + 2], 16).unwrap_or_default()) / 255.0)
}

/// PNG (ISO/IEC 15948) with 8 bits of red, green and blue, and no filter.
fn encoded(canvas: &Canvas) -> std::io::Result<Vec<u8>> {
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::default());
    for row in canvas.pixels.chunks(3 * canvas.width) {
        let bytes: Vec<u8> = row.iter().map(|value| (255.0 * value.clamp(0.0, 1.0)).round() as u8).collect();
        packed.write_all(&[0])?;
        packed.write_all(&bytes)?;
    }
    let mut header = Vec::new();
    [canvas.width, canvas.height].iter().for_each(|length| header.extend((*length as u32).to_be_bytes()));
    header.extend([8, 2, 0, 0, 0]);
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    for (name, content) in [(b"IHDR", header), (b"IDAT", packed.finish()?), (b"IEND", Vec::new())] {
        let mut crc = Crc::new();
        [name.as_slice(), &content].iter().for_each(|bytes| crc.update(bytes));
        png.extend((content.len() as u32).to_be_bytes());
        png.extend_from_slice(name);
        png.extend(content);
        png.extend(crc.sum().to_be_bytes());
    }
    Ok(png)
}
