//! Matrices.

use crate::expr::Expr;
use crate::parse::{Parsed, Parser};
use crate::token::Token;
use crate::value::Value;

/// Environments whose rows are those of a matrix.
const MATRICES: [&str; 6] = ["matrix", "pmatrix", "bmatrix", "Bmatrix", "smallmatrix", "array"];

impl Parser<'_, '_> {
    /// What follows `\begin`.
    pub(super) fn environment(&mut self) -> Parsed<Value> {
        let name = self.environment_name()?;
        if !MATRICES.contains(&name.as_str()) {
            return Err(self.unexpected());
        }
        if name == "array" && self.take('{') {
            while !self.take('}') {
                self.peek().ok_or_else(|| self.unexpected())?;
                self.at += 1;
            }
        }
        let mut rows: Vec<Vec<Expr>> = vec![Vec::new()];
        loop {
            if self.take_command("end") {
                break;
            }
            if self.take_command("\\") {
                rows.push(Vec::new());
                continue;
            }
            self.node()?;
            let cell = self.deeper(Self::sum)?;
            let cell = self.scalar(cell)?;
            if let Some(row) = rows.last_mut() {
                row.push(cell);
            }
            if !self.take('&') && !self.is_command("\\") && !self.is_command("end") {
                return Err(self.unexpected());
            }
        }
        if self.environment_name()? != name {
            return Err(self.unexpected());
        }
        rows.retain(|row| !row.is_empty());
        let width = rows.first().map_or(0, Vec::len);
        if width == 0 || rows.iter().any(|row| row.len() != width) {
            return Err(self.unexpected());
        }
        Ok(Value::Matrix(rows))
    }

    fn environment_name(&mut self) -> Parsed<String> {
        self.expect('{')?;
        let mut name = String::new();
        while let Some(token @ (Token::Word(_) | Token::Letter(_) | Token::Symbol('*'))) = self.peek() {
            match token {
                Token::Word(word) => name += word,
                Token::Letter(letter) => name.push(letter),
                _ => {}
            }
            self.at += 1;
        }
        self.expect('}')?;
        Ok(name)
    }
}
