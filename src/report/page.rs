//! What the page says, ready for its template.

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment};
use serde::Serialize;
use serde_json::{Value, json};

use super::answer::{Answer, Row, alarm, answer, rows};
use super::chart::{Axes, PLOT, SIZE, number, shapes};
use super::curves::{Chart, Constant, VARIANTS, charts};
use super::formula::Formulas;
use super::picture::Shape;
use super::recorded::{Recorded, Sentinel};
use super::tables::Table;
use super::text::{quoted, script, visible};
use super::timings::{Timing, timings};
use super::transcripts::{self, Shown};
use crate::error::{Error, Result};
use crate::record::CONFIG;

/// Most characters of a text that a file says.
const TEXT: usize = 2000;

/// Most characters of a manifest.
const MANIFEST: usize = 60_000;

/// Most runs whose manifest and command are shown, and most messages.
const RUNS: usize = 24;
const MESSAGES: usize = 60;

/// Everything that the template shows.
#[derive(Serialize)]
pub(crate) struct Page {
    version: &'static str,
    title: String,
    ran: Vec<(&'static str, String)>,
    answer: Answer,
    alarm: Answer,
    sentinels: Vec<Value>,
    problems: Vec<String>,
    notices: Vec<String>,
    variants: Vec<Row>,
    seeds: bool,
    note: String,
    tables: Vec<Table>,
    charts: Vec<Value>,
    constants: Vec<(String, String)>,
    curves_note: String,
    most_variants: usize,
    width: f64,
    height: f64,
    formulas: Vec<Formulas>,
    has_transcripts: bool,
    stages: Vec<String>,
    timings: Vec<Timing>,
    runs: Vec<Value>,
    more_runs: String,
    source: String,
    css: &'static str,
    js: &'static str,
    data: String,
}

/// The runs of each label, in their order.
pub(crate) fn variants(runs: &[Recorded]) -> Vec<(String, Vec<&Recorded>)> {
    let mut variants: Vec<(String, Vec<&Recorded>)> = Vec::new();
    for run in runs {
        match variants.iter_mut().find(|(label, _)| *label == run.label) {
            Some((_, runs)) => runs.push(run),
            None => variants.push((run.label.clone(), vec![run])),
        }
    }
    for (label, runs) in &mut variants {
        *label = visible(label, 80);
        runs.sort_by_key(|run| run.seed());
    }
    variants
}

/// The page of these runs, whose tables of results stand beside them.
pub(crate) fn html(runs: &[Recorded], tables: Vec<Table>, source: &str) -> Result<String> {
    let mut env = Environment::new();
    env.set_auto_escape_callback(|_| AutoEscape::Html);
    let text = include_str!("page.html");
    let failed = |problem: minijinja::Error| Error::part("report", problem);
    env.add_template("page.html", text).map_err(failed)?;
    let template = env.get_template("page.html").map_err(failed)?;
    let page = Serde(Page::new(runs, tables, source)?);
    template.render(page).map_err(failed)
}

impl Page {
    fn new(runs: &[Recorded], tables: Vec<Table>, source: &str) -> Result<Page> {
        let variants = variants(runs);
        let (charts, constants) = charts(&variants);
        let mut problems: Vec<String> = runs.iter().flat_map(|run| run.problems.clone()).collect();
        let transcripts = transcripts_of(&variants, &mut problems);
        let sentinels = sentinels(runs);
        let rows = rows(&variants);
        let (stages, timings) = timings(&variants);
        let data = json!({
            "size": SIZE, "plot": PLOT, "charts": charts.iter().map(data_of).collect::<Vec<_>>(), "transcripts": transcripts,
        });
        let several = variants.iter().any(|(_, runs)| runs.len() > 1);
        Ok(Page {
            version: env!("CARGO_PKG_VERSION"),
            title: title(runs, &variants),
            ran: ran(runs),
            answer: answer(&variants),
            alarm: alarm(runs, problems.len()),
            sentinels,
            notices: notices(&variants),
            problems: problems.iter().take(MESSAGES).map(|problem| visible(problem, TEXT)).collect(),
            note: note(runs, several),
            seeds: several,
            tables,
            charts: charts.iter().map(shown).collect(),
            constants: constants.into_iter().map(|Constant { title, value }| (title, number(value))).collect(),
            curves_note: curves_note(several, variants.len()),
            most_variants: VARIANTS,
            width: SIZE[0],
            height: SIZE[1],
            formulas: variants.iter().take(RUNS).map(|(label, runs)| Formulas::of(label, &runs[0].manifest)).collect(),
            has_transcripts: !transcripts.is_empty(),
            stages,
            timings,
            more_runs: match runs.len() {
                count if count > RUNS => format!("The other {} of {count} runs have their files too.", count - RUNS),
                _ => String::new(),
            },
            runs: runs.iter().take(RUNS).map(again).collect(),
            variants: rows,
            source: visible(source, TEXT),
            css: include_str!("page.css"),
            js: include_str!("page.js"),
            data: script(&data).map_err(|problem| Error::part("report", problem))?,
        })
    }
}

fn title(runs: &[Recorded], variants: &[(String, Vec<&Recorded>)]) -> String {
    let env = runs.first().map(|run| run.name_of("env")).unwrap_or_default();
    match variants {
        [(label, runs)] => {
            let name = runs[0].name_of("algorithm");
            let preset = runs[0].preset().map(|preset| format!("/{preset}")).unwrap_or_default();
            let name = if name == "unknown" { label.clone() } else { format!("{name}{preset}") };
            visible(&format!("{name} on {env}"), 200)
        }
        many => visible(&format!("{} variants on {env}", many.len()), 200),
    }
}

/// What ran, in a line.
fn ran(runs: &[Recorded]) -> Vec<(&'static str, String)> {
    let Some(first) = runs.first() else { return Vec::new() };
    let mut seeds: Vec<u64> = runs.iter().filter_map(Recorded::seed).collect();
    seeds.sort_unstable();
    seeds.dedup();
    let seeds: Vec<String> = seeds.iter().take(12).map(u64::to_string).collect();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let train = &first.manifest["settings"]["train"];
    let mut ran = vec![(if seeds.len() == 1 { "seed" } else { "seeds" }, seeds.join(", "))];
    ran.extend(first.steps().map(|steps| ("steps", steps.to_string())));
    if let (Some(prompts), Some(rollouts)) = (train["prompts"].as_u64(), train["rollouts"].as_u64()) {
        ran.push(("a step", format!("{prompts} problems, {rollouts} completions each")));
    }
    if !first.manifest["device"]["name"].is_null() {
        ran.push(("device", visible(&text(&first.manifest["device"]["name"]), 40)));
    }
    if let Some(parameters) = first.manifest["parameters"]["policy"].as_u64() {
        ran.push(("parameters of the policy", parameters.to_string()));
    }
    ran
}

fn sentinels(runs: &[Recorded]) -> Vec<Value> {
    let several = runs.len() > 1;
    let mut all: Vec<(&Recorded, &Sentinel)> =
        runs.iter().flat_map(|run| run.sentinels.iter().map(move |sentinel| (run, sentinel))).collect();
    all.sort_by_key(|(_, sentinel)| sentinel.severity != "stop");
    let value = |(run, sentinel): (&Recorded, &Sentinel)| {
        let Sentinel { step, name, severity, what, evidence, remedy } = sentinel;
        let run =
            if several { format!("{} seed {},", run.label, run.seed().unwrap_or_default()) } else { String::new() };
        let [run, name, severity, what, evidence, remedy] =
            [&run, name, severity, what, evidence, remedy].map(|text| visible(text, TEXT));
        json!({ "run": run, "step": step, "name": name, "severity": severity, "what": what, "evidence": evidence,
                "remedy": remedy })
    };
    all.into_iter().take(MESSAGES).map(value).collect()
}

/// Each notice once, with the variant that it is of where there are several.
fn notices(variants: &[(String, Vec<&Recorded>)]) -> Vec<String> {
    let mut notices: Vec<String> = Vec::new();
    for (label, runs) in variants {
        for notice in runs.iter().flat_map(|run| run.notices()) {
            let notice = if variants.len() > 1 { format!("{label}: {notice}") } else { notice };
            let notice = visible(&notice, TEXT);
            if notices.len() < MESSAGES && !notices.contains(&notice) {
                notices.push(notice);
            }
        }
    }
    notices
}

/// What the numbers of the table are.
fn note(runs: &[Recorded], several: bool) -> String {
    let before = runs.iter().find_map(|run| run.outcome.as_ref()?.before);
    let of = before.map_or_else(String::new, |before| {
        format!("Pass rate on {} held-out problems, {} completions, ", before.problems, before.completions)
    });
    let intervals = match several {
        true => "with the 95% interval of the mean over seeds (Student's t)",
        false => "with the 95% interval over problems, for this seed only",
    };
    format!("{of}{intervals}. The grey mark is before training. Train: rollouts of the last tenth of the steps.")
}

fn curves_note(several: bool, variants: usize) -> String {
    let lines = match several {
        true => {
            "Each line is the mean over seeds of moving means over a twentieth of the steps; the band is its 95% interval."
        }
        false => "The strong line is a moving mean over a twentieth of the steps, the faint one the values themselves.",
    };
    let more = if variants > VARIANTS {
        format!(" The first {VARIANTS} of {variants} variants are drawn.")
    } else {
        String::new()
    };
    format!("{lines}{more}")
}

/// A chart for the template.
fn shown(chart: &Chart) -> Value {
    let scale = |value: f64| if chart.percent { format!("{}%", number(100.0 * value)) } else { number(value) };
    let ends = chart.curves.iter().map(|curve| {
        let [first, last] = [curve.points.first(), curve.points.last()].map(|p| scale(p.map_or(0.0, |p| p.mean)));
        let label = if chart.curves.len() > 1 { format!("{} ", curve.label) } else { String::new() };
        format!("{label}{first} → {last}")
    });
    let summary = ends.collect::<Vec<_>>().join("\n");
    let drawing: String = shapes(chart).iter().map(Shape::svg).collect();
    json!({ "title": chart.title, "drawing": drawing, "summary": summary })
}

/// A chart for the script: `[step, mean, raw, low, high]` of each point.
fn data_of(chart: &Chart) -> Value {
    let short = |value: Option<f64>| value.and_then(|value| format!("{value:.4e}").parse::<f64>().ok());
    let curves = chart.curves.iter().map(|curve| {
        let points = curve.points.iter().map(|point| {
            let [low, high] = [0, 1].map(|end| short(point.band.map(|band| band[end])));
            json!([point.step, short(Some(point.mean)), short(point.raw), low, high])
        });
        json!({ "label": curve.label, "points": points.collect::<Vec<_>>() })
    });
    json!({ "steps": Axes::of(chart).steps, "percent": chart.percent, "curves": curves.collect::<Vec<_>>() })
}

/// Of the first seed of each variant.
fn transcripts_of(variants: &[(String, Vec<&Recorded>)], problems: &mut Vec<String>) -> Vec<Shown> {
    let count = variants.len();
    let read = |(label, runs): &(String, Vec<&Recorded>)| {
        let label = if count > 1 { label.as_str() } else { "" };
        transcripts::read(label, &runs[0].path, count, problems)
    };
    variants.iter().take(RUNS).flat_map(read).collect()
}

/// What a run's settings were, and how to run it again.
fn again(run: &Recorded) -> Value {
    let config = run.path.join(CONFIG);
    let command = run.has_config.then(|| format!("oreal train {}", quoted(&visible(&config.to_string_lossy(), TEXT))));
    let mut manifest = run.manifest.clone();
    if let Some(sections) = manifest.as_object_mut() {
        sections.remove("mathml");
    }
    let manifest = serde_json::to_string_pretty(&manifest).unwrap_or_default();
    json!({ "label": visible(&run.path.to_string_lossy(), TEXT), "command": command, "manifest": visible(&manifest, MANIFEST) })
}
