//! A formula in MathML, which browsers typeset without a library.

use crate::coefficient::number;
use crate::formula::Formula;
use crate::graph::{Id, Op};
use crate::operation::{Binary, Precedence, Unary};
use crate::printed::{Lines, lines};
use crate::rank::Level;

/// The lines of [`crate::printed::print`] as blocks of `<math>`: a table of equations, the values of settings, and the same of
/// what is only logged. Only elements of MathML Core; the one attribute is `display="block"`.
pub(crate) fn print(formula: &Formula) -> String {
    let [loss, logged] = [true, false].map(|part_of_loss| block(formula, &lines(formula, part_of_loss)));
    let logged = if logged.is_empty() { logged } else { math(&text("logged")) + &logged };
    loss + &logged
}

fn block(formula: &Formula, Lines { values, settings }: &Lines<'_>) -> String {
    let row = |(name, id): &(&str, Id)| {
        let cells = [symbol(name), tag("mo", "="), body(formula, *id).0].map(|cell| tag("mtd", &cell));
        tag("mtr", &cells.concat())
    };
    let rows: String = values.iter().map(row).collect();
    let setting = |(name, id): &(&str, Id)| match formula.nodes[*id].op {
        Op::Setting(_, coefficient) => {
            let value = coefficient.constant().map_or_else(|| text(&coefficient.to_string()), numeral);
            Some(symbol(name) + &tag("mo", "=") + &value)
        }
        _ => None,
    };
    let settings: Vec<String> = settings.iter().filter_map(setting).collect();
    let table = if rows.is_empty() { rows } else { math(&tag("mtable", &rows)) };
    match settings.is_empty() {
        true => table,
        false => table + &math(&(text("with\u{a0}") + &settings.join(&tag("mo", ",")))),
    }
}

fn math(content: &str) -> String {
    format!("<math display=\"block\">{content}</math>\n")
}

/// An operand: by its name if it has one, in parentheses where its place needs a higher precedence.
fn operand(formula: &Formula, id: Id, place: Precedence) -> String {
    if let Some(label) = formula.labels.get(&id) {
        return symbol(label);
    }
    let (content, precedence) = body(formula, id);
    match formula.nodes[id].op {
        Op::Column(_) | Op::Setting(..) | Op::Count(_) => content,
        _ if precedence < place => fenced("(", &content, ")"),
        _ => tag("mrow", &content),
    }
}

fn body(formula: &Formula, id: Id) -> (String, Precedence) {
    let operand_of = |id: Id| move |place: Precedence| operand(formula, id, place);
    let called = |name: &str, arguments: &[Id]| {
        let arguments: Vec<String> = arguments.iter().map(|&id| operand(formula, id, Precedence::Sum)).collect();
        (call(name, &arguments), Precedence::Atom)
    };
    let node = &formula.nodes[id];
    let over = |operator: String, a: Id| {
        let operator = tag("munder", &(operator + &units(formula.nodes[a].level, node.level)));
        (operator + &fenced("(", &operand(formula, a, Precedence::Sum), ")"), Precedence::Atom)
    };
    match &node.op {
        Op::Column(column) => (symbol(column.symbol()), Precedence::Atom),
        Op::Constant(value) if *value < 0.0 => (numeral(*value), Precedence::Negative),
        Op::Constant(value) => (numeral(*value), Precedence::Atom),
        Op::Setting(name, _) => (symbol(name), Precedence::Atom),
        Op::Count(of) => (text(&format!("{} per {}", of.plural(), node.level)), Precedence::Atom),
        Op::LastToken => (indicator(&text("last")), Precedence::Atom),
        Op::Unary(op, a) => unary(*op, &operand_of(*a)),
        Op::Binary(op, a, b) => binary(*op, &operand_of(*a), &operand_of(*b)),
        Op::Clip(a, low, high) => called("clip", &[*a, *low, *high]),
        Op::Sum(a) => over(tag("mo", "∑"), *a),
        Op::Mean(a) => over(tag("mi", "mean"), *a),
        Op::Spread(a) if formula.labels.contains_key(a) => (operand(formula, *a, Precedence::Atom), Precedence::Atom),
        Op::Spread(a) => body(formula, *a),
        Op::Scan(scan, a, p) => called(scan.name(), &[Some(*a), *p].into_iter().flatten().collect::<Vec<_>>()),
        Op::Detach(a) => called("sg", &[*a]),
    }
}

/// What is summed over: `t ∈ trajectory`.
fn units(fine: Level, coarse: Level) -> String {
    let index = match fine {
        Level::Token => "t",
        Level::Trajectory => "i",
        Level::Group => "g",
        Level::Batch => "b",
    };
    tag("mrow", &(tag("mi", index) + &tag("mo", "∈") + &text(&coarse.to_string())))
}

fn unary(op: Unary, x: &dyn Fn(Precedence) -> String) -> (String, Precedence) {
    match op {
        Unary::Neg => (tag("mo", "−") + &x(Precedence::Product), Precedence::Negative),
        Unary::Sqrt => (tag("msqrt", &x(Precedence::Sum)), Precedence::Atom),
        Unary::Square => (tag("msup", &(x(Precedence::Atom) + &tag("mn", "2"))), Precedence::Atom),
        Unary::Abs => (fenced("|", &x(Precedence::Sum), "|"), Precedence::Atom),
        Unary::Sigmoid => (call("σ", &[x(Precedence::Sum)]), Precedence::Atom),
        Unary::Exp | Unary::Ln | Unary::Softplus => (call(op.name(), &[x(Precedence::Sum)]), Precedence::Atom),
    }
}

fn binary(op: Binary, a: &dyn Fn(Precedence) -> String, b: &dyn Fn(Precedence) -> String) -> (String, Precedence) {
    use Precedence::{Atom, Product, Sum};
    let between = |left: Precedence, sign: &str, right: Precedence| a(left) + &tag("mo", sign) + &b(right);
    match op {
        Binary::Add => (between(Sum, "+", Sum), Sum),
        Binary::Sub => (between(Sum, "−", Product), Sum),
        Binary::Mul => (between(Product, "·", Product), Product),
        Binary::Div => (tag("mfrac", &(a(Sum) + &b(Sum))), Product),
        Binary::Min | Binary::Max => (call(op.name(), &[a(Sum), b(Sum)]), Atom),
        Binary::Above => (indicator(&between(Sum, ">", Sum)), Atom),
        Binary::Below => (indicator(&between(Sum, "<", Sum)), Atom),
    }
}

fn call(name: &str, arguments: &[String]) -> String {
    tag("mi", name) + &tag("mo", APPLY) + &fenced("(", &arguments.join(&tag("mo", ",")), ")")
}

/// The invisible sign between a function and its argument.
const APPLY: &str = "\u{2061}";

/// 1 where a condition holds, 0 elsewhere.
fn indicator(condition: &str) -> String {
    tag("mn", "1") + &fenced("[", condition, "]")
}

fn fenced(open: &str, content: &str, close: &str) -> String {
    format!("<mrow>{}{content}{}</mrow>", tag_text("mo", open), tag_text("mo", close))
}

/// `logπ_old`, `w⁺`, `H(π)`, `ε_low`: subscripts where a short symbol stands before `_`; words stay as they are.
fn symbol(name: &str) -> String {
    if let Some(rest) = name.strip_prefix("log").filter(|rest| rest.starts_with(|c: char| !c.is_ascii())) {
        return format!("<mrow>{}{}{}</mrow>", tag("mi", "log"), tag("mo", APPLY), symbol(rest));
    }
    let short = |base: &str, index: &str| {
        !index.is_empty() && (base.chars().count() == 1 || index.chars().all(|c| c.is_ascii_digit()))
    };
    if let Some((base, index)) = name.split_once('_').filter(|(base, index)| short(base, index)) {
        return tag("msub", &(symbol(base) + &tag("mi", index)));
    }
    if let Some(base) = name.strip_suffix('⁺').filter(|base| !base.is_empty()) {
        return tag("msup", &(symbol(base) + &tag("mo", "+")));
    }
    match name.strip_suffix(')').and_then(|name| name.split_once('(')) {
        Some((function, of)) => format!("<mrow>{}{}</mrow>", tag("mi", function), fenced("(", &tag("mi", of), ")")),
        None => tag("mi", name),
    }
}

fn numeral(value: f64) -> String {
    let written = number(value.abs());
    let sign = if value < 0.0 { tag("mo", "−") } else { String::new() };
    let Some((mantissa, exponent)) = written.split_once('e') else {
        return sign + &tag("mn", &written);
    };
    let exponent = match exponent.strip_prefix('-') {
        Some(digits) => format!("<mrow>{}{}</mrow>", tag("mo", "−"), tag("mn", digits)),
        None => tag("mn", exponent),
    };
    let power = tag("msup", &(tag("mn", "10") + &exponent));
    sign + &if mantissa == "1" { power } else { tag("mn", mantissa) + &tag("mo", "×") + &power }
}

fn text(content: &str) -> String {
    tag_text("mtext", content)
}

/// An element; a leaf's content is escaped.
fn tag(name: &str, content: &str) -> String {
    if ["mi", "mn", "mo"].contains(&name) { tag_text(name, content) } else { format!("<{name}>{content}</{name}>") }
}

fn tag_text(name: &str, content: &str) -> String {
    let escaped = content.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!("<{name}>{escaped}</{name}>")
}
