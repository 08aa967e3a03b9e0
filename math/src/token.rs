//! An answer as tokens: LaTeX and plain text alike.
//!
//! What only changes the look is dropped here: spaces, `\left`, `\displaystyle`, dollar signs around formulas. Spellings of
//! one thing become one token: `\dfrac` is `\frac`, `\leqslant` is `\leq`.

pub(crate) mod number;

pub(crate) use number::{Commas, Literal};

/// A piece of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    /// A number without its sign.
    Number(Literal<'a>),
    /// A letter that stands alone.
    Letter(char),
    /// Several letters of plain text in a row.
    Word(&'a str),
    /// The argument of `\text` and the like, trimmed.
    Text(&'a str),
    /// A LaTeX command without its backslash; `{` and `}` are the braces of sets.
    Command(&'a str),
    /// Any other character. `{` and `}` are those that group.
    Symbol(char),
}

/// A token and where it stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lexeme<'a> {
    /// The token.
    pub token: Token<'a>,
    /// Whether white space stands before it.
    pub spaced: bool,
}

/// Two tokens are the same whatever the space before them.
impl PartialEq for Lexeme<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.token == other.token
    }
}

/// Commands without meaning for the value.
const LOOKS: [&str; 36] = [
    "left",
    "right",
    "big",
    "Big",
    "bigg",
    "Bigg",
    "bigl",
    "bigr",
    "Bigl",
    "Bigr",
    "biggl",
    "biggr",
    "displaystyle",
    "textstyle",
    "scriptstyle",
    "limits",
    "nolimits",
    ",",
    ";",
    ":",
    "!",
    " ",
    "quad",
    "qquad",
    "(",
    ")",
    "[",
    "]",
    "mathbf",
    "boldsymbol",
    "bm",
    "mathit",
    "bf",
    "rm",
    "it",
    "middle",
];

/// Commands that are others by another name.
const SYNONYMS: [(&str, &str); 40] = [
    ("dfrac", "frac"),
    ("tfrac", "frac"),
    ("cfrac", "frac"),
    ("dbinom", "binom"),
    ("tbinom", "binom"),
    ("le", "leq"),
    ("leqslant", "leq"),
    ("leqq", "leq"),
    ("ge", "geq"),
    ("geqslant", "geq"),
    ("geqq", "geq"),
    ("lt", "<"),
    ("gt", ">"),
    ("ne", "neq"),
    ("lbrace", "{"),
    ("rbrace", "}"),
    ("lvert", "|"),
    ("rvert", "|"),
    ("vert", "|"),
    ("lVert", "|"),
    ("rVert", "|"),
    ("Vert", "|"),
    ("ast", "*"),
    ("times", "*"),
    ("cdot", "*"),
    ("bullet", "*"),
    ("div", "/"),
    ("varnothing", "emptyset"),
    ("degree", "circ"),
    ("bigcup", "cup"),
    ("bigcap", "cap"),
    ("backslash", "setminus"),
    ("epsilon", "varepsilon"),
    ("phi", "varphi"),
    ("land", "wedge"),
    ("lor", "vee"),
    ("to", "rightarrow"),
    ("colon", ":"),
    ("ldots", "dots"),
    ("cdots", "dots"),
];

/// Commands whose argument is text.
const TEXTS: [&str; 10] =
    ["text", "textbf", "textit", "textrm", "textsf", "texttt", "textnormal", "mbox", "hbox", "emph"];

/// Commands whose argument is upright: a unit, a function's name, or a letter.
const UPRIGHT: [&str; 3] = ["mathrm", "operatorname", "mathsf"];

/// Deepest text in text.
const NESTING: usize = 4;

/// The tokens of a text, in which plain commas between digits mean what `commas` says.
pub(crate) fn tokens(text: &str, commas: Commas) -> Vec<Lexeme<'_>> {
    let mut lexer = Lexer { text, at: 0, commas, depth: 0, nesting: 0, spaced: false, found: Vec::new() };
    lexer.all();
    lexer.found
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    commas: Commas,
    /// Open brackets: in them commas separate.
    depth: usize,
    /// Texts around this one.
    nesting: usize,
    spaced: bool,
    found: Vec<Lexeme<'a>>,
}

impl<'a> Lexer<'a> {
    fn all(&mut self) {
        while let Some(next) = self.rest().chars().next() {
            match next {
                _ if next.is_whitespace() || next == '~' => self.space(next),
                '\\' => self.command(),
                '$' => self.dollar(),
                '.' if self.rest().starts_with("...") => self.advance(3, Token::Command("dots")),
                '…' => self.advance(next.len_utf8(), Token::Command("dots")),
                '0'..='9' | '.' => self.number(next),
                _ if next.is_alphabetic() => self.letters(),
                '*' if self.rest().starts_with("**") => self.advance(2, Token::Symbol('^')),
                _ => self.symbol(next),
            }
        }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn push(&mut self, token: Token<'a>) {
        self.found.push(Lexeme { token, spaced: self.spaced });
        self.spaced = false;
    }

    fn advance(&mut self, bytes: usize, token: Token<'a>) {
        self.at += bytes;
        self.push(token);
    }

    fn space(&mut self, next: char) {
        self.at += next.len_utf8();
        self.spaced = true;
    }

    fn symbol(&mut self, next: char) {
        self.at += next.len_utf8();
        self.bracket(next);
    }

    /// A symbol that may open or close a bracket.
    fn bracket(&mut self, symbol: char) {
        match symbol {
            '(' | '[' => self.depth += 1,
            ')' | ']' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        self.push(Token::Symbol(symbol));
    }

    /// Delimiters of formulas are dropped. They end what stands before them, so they count as space.
    fn dollar(&mut self) {
        self.at += 1;
        self.spaced = true;
    }

    fn number(&mut self, next: char) {
        let commas = if self.depth > 0 { Commas::Separate } else { self.commas };
        match number::scan(self.rest(), commas) {
            Some((literal, bytes)) => self.advance(bytes, Token::Number(literal)),
            None => self.symbol(next),
        }
    }

    fn letters(&mut self) {
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len());
        let word = &rest[..end];
        let mut letters = word.chars();
        match (letters.next(), letters.next()) {
            (Some(letter), None) => self.advance(end, Token::Letter(letter)),
            _ => self.advance(end, Token::Word(word)),
        }
    }

    fn command(&mut self) {
        let after = &self.rest()[1..];
        let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let bytes = if letters > 0 { letters } else { after.chars().next().map_or(0, char::len_utf8) };
        let name = &after[..bytes];
        self.at += 1 + bytes;
        let name = SYNONYMS.iter().find(|(other, _)| *other == name).map_or(name, |(_, one)| one);
        match name {
            "" => {}
            "{" | "}" => {
                self.depth = if name == "{" { self.depth + 1 } else { self.depth.saturating_sub(1) };
                self.push(Token::Command(name));
            }
            "*" | "/" | "<" | ">" | "|" | ":" => self.push(Token::Symbol(name.chars().next().unwrap_or('*'))),
            "lbrack" => self.bracket('['),
            "rbrack" => self.bracket(']'),
            "lparen" => self.bracket('('),
            "rparen" => self.bracket(')'),
            "\\" => self.push(Token::Command(name)),
            _ if LOOKS.contains(&name) => self.spaced |= !matches!(name, "!" | "left" | "right"),
            "hspace" | "vspace" | "phantom" | "hphantom" | "label" | "color" => {
                self.group();
            }
            _ if TEXTS.contains(&name) => self.text(),
            _ if UPRIGHT.contains(&name) => self.upright(),
            _ => self.push(Token::Command(name)),
        }
    }

    /// The content of the group in braces that stands next, which is passed; `None` where there is none that ends.
    fn group(&mut self) -> Option<&'a str> {
        let rest = self.rest();
        let start = rest.find(|c: char| !c.is_whitespace())?;
        let inside = rest[start..].strip_prefix('{')?;
        let mut depth = 1_usize;
        for (at, c) in inside.char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                self.at += start + at + 2;
                return Some(&inside[..at]);
            }
        }
        None
    }

    /// Text, but for formulas in it.
    fn text(&mut self) {
        let Some(inside) = self.group() else { return };
        let trimmed = inside.trim_matches(|c: char| c.is_whitespace() || c == '~');
        if trimmed.contains(|c: char| c.is_ascii_digit() || c == '\\' || c == '$' || c == '{') {
            self.nested(inside);
        } else if trimmed == "i" && inside == trimmed {
            self.push(Token::Letter('i'));
        } else if !trimmed.is_empty() {
            self.push(Token::Text(trimmed));
        }
    }

    /// An upright letter is a letter unless it follows a number, where it is a unit.
    fn upright(&mut self) {
        let Some(inside) = self.group() else { return };
        let trimmed = inside.trim_matches(|c: char| c.is_whitespace() || c == '~');
        let after_number = matches!(self.found.last(), Some(Lexeme { token: Token::Number(_), .. }));
        let mut letters = trimmed.chars();
        match (letters.next(), letters.next()) {
            (Some(letter), None) if letter.is_alphabetic() && !after_number && inside == trimmed => {
                self.push(Token::Letter(letter));
            }
            (Some(_), _) if trimmed.chars().all(|c| c.is_alphabetic() || c == ' ') => self.push(Token::Text(trimmed)),
            _ => self.nested(inside),
        }
    }

    /// The tokens of a part, in the place of the part. What is nested too deep is text.
    fn nested(&mut self, inside: &'a str) {
        if self.nesting >= NESTING {
            return self.push(Token::Text(inside));
        }
        let nesting = self.nesting + 1;
        let mut inner =
            Lexer { text: inside, at: 0, commas: self.commas, depth: 0, nesting, spaced: true, found: Vec::new() };
        inner.all();
        self.found.append(&mut inner.found);
    }
}
