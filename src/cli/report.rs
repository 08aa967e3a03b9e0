//! `oreal report`: a page about recorded runs.

use std::path::PathBuf;

use clap::Args;

use crate::error::{Error, Result};
use crate::report;

#[derive(Debug, Args)]
pub(super) struct Report {
    /// Folders of runs, comparisons or ablations; several give one page
    #[arg(required = true, value_name = "FOLDER")]
    folders: Vec<PathBuf>,
    /// The page [default: FOLDER/report.html, or report.html here for several folders]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Also write every curve into this folder, as SVG and PNG
    #[arg(long, value_name = "FOLDER")]
    plots: Option<PathBuf>,
}

impl Report {
    pub(super) fn run(self) -> Result<String> {
        let out = self.out.unwrap_or_else(|| match &self.folders[..] {
            [one] => one.join(report::NAME),
            _ => report::NAME.into(),
        });
        if out.is_dir() {
            return Err(Error::setting("--out", format!("{} is a folder: name a file", out.display())));
        }
        report::write(&self.folders, &out)?;
        let mut text = format!("report in {}\n", out.display());
        if let Some(folder) = &self.plots {
            let count = report::plots(&self.folders, folder)?;
            text += &format!("{count} curves in {}, each as SVG and PNG\n", folder.display());
        }
        Ok(text)
    }
}
