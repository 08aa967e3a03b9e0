//! The page about recorded runs: one HTML file that needs nothing else, and the curves as SVG and PNG.
//!
//! [`write()`] reads the folders of runs ([`crate::record`]) or folders that hold some, as a comparison's does. Runs below
//! `LABEL/seed-N` are seeds of one variant. What is in those folders is taken for anybody's: sizes are bounded, text is escaped,
//! and lines that cannot be read are left out and told.

mod answer;
mod chart;
mod curves;
mod files;
mod formula;
mod metrics;
mod page;
mod picture;
mod recorded;
mod tables;
mod text;
mod timings;
mod transcripts;

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::record;
use recorded::Recorded;

pub(crate) use files::below as runs_below;

/// Name of the page in a run's folder.
pub const NAME: &str = "report.html";

/// Writes the page of the runs in these folders to `out`, over a file that is there.
///
/// # Errors
/// A folder that cannot be read or holds no run; a page that cannot be written.
pub fn write(folders: &[PathBuf], out: &Path) -> Result<()> {
    let mut runs = read(folders)?;
    let mut problems = Vec::new();
    let tables = folders.iter().flat_map(|folder| tables::read(folder, &mut problems)).collect();
    runs.iter_mut().take(1).for_each(|run| run.problems.append(&mut problems));
    let source = folders.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(", ");
    record::write(out, page::html(&runs, tables, &source)?.as_bytes())
}

/// Writes every curve of the runs in these folders into a folder, as `NAME.svg` and `NAME.png`; how many curves there are.
///
/// # Errors
/// As [`write()`].
pub fn plots(folders: &[PathBuf], out: &Path) -> Result<usize> {
    let runs = read(folders)?;
    let (charts, _) = curves::charts(&page::variants(&runs));
    fs::create_dir_all(out).map_err(|problem| Error::file(out, problem))?;
    for chart in &charts {
        let (shapes, size) = chart::picture(chart);
        let file = |ending: &str| out.join(format!("{}.{ending}", file_name(&chart.name)));
        record::write(&file("svg"), chart::svg(&shapes, size).as_bytes())?;
        record::write(&file("png"), &picture::png(&shapes, size)?)?;
    }
    Ok(charts.len())
}

fn read(folders: &[PathBuf]) -> Result<Vec<Recorded>> {
    Ok(files::runs(folders)?.into_iter().map(Recorded::read).collect())
}

/// A metric's name as that of a file, without its ending.
fn file_name(metric: &str) -> String {
    metric.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).collect()
}
