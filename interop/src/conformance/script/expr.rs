//! Numbers that a script computes with.

use std::fmt;

/// An expression over 64-bit numbers. Times are in microseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expr {
    Number(i64),
    /// A variable, a field of the last packet, or `NAME.field`.
    Name(String),
    Binary(Box<Self>, char, Box<Self>),
}

impl Expr {
    /// Reads all of `text`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut parser = Parser { rest: text.trim() };
        let expr = parser.sum()?;
        match parser.rest {
            "" => Ok(expr),
            rest => Err(format!("found `{rest}` after `{expr}`; allowed: + - * / % or nothing")),
        }
    }

    /// The value, with `lookup` for names. Division by zero and overflow are errors.
    pub(super) fn value(
        &self,
        lookup: &dyn Fn(&str) -> Result<i64, String>,
    ) -> Result<i64, String> {
        match self {
            Self::Number(number) => Ok(*number),
            Self::Name(name) => lookup(name),
            Self::Binary(left, operator, right) => {
                let (left, right) = (left.value(lookup)?, right.value(lookup)?);
                let value = match operator {
                    '+' => left.checked_add(right),
                    '-' => left.checked_sub(right),
                    '*' => left.checked_mul(right),
                    '/' => left.checked_div(right),
                    _ => left.checked_rem_euclid(right),
                };
                value.ok_or_else(|| format!("`{self}` has no value: {left} {operator} {right}"))
            }
        }
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Name(name) => f.write_str(name),
            Self::Binary(left, operator, right) => write!(f, "({left}{operator}{right})"),
        }
    }
}

struct Parser<'a> {
    rest: &'a str,
}

impl Parser<'_> {
    fn sum(&mut self) -> Result<Expr, String> {
        let mut left = self.product()?;
        while let Some(operator) = self.operator(&['+', '-']) {
            left = Expr::Binary(left.into(), operator, self.product()?.into());
        }
        Ok(left)
    }

    fn product(&mut self) -> Result<Expr, String> {
        let mut left = self.atom()?;
        while let Some(operator) = self.operator(&['*', '/', '%']) {
            left = Expr::Binary(left.into(), operator, self.atom()?.into());
        }
        Ok(left)
    }

    fn atom(&mut self) -> Result<Expr, String> {
        self.rest = self.rest.trim_start();
        if self.operator(&['(']).is_some() {
            let inner = self.sum()?;
            return match self.operator(&[')']) {
                Some(_) => Ok(inner),
                None => Err(format!("found `{}`; allowed: )", self.rest)),
            };
        }
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
        let end = self.rest.find(|c| !is_word(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        match word.chars().next() {
            Some('0'..='9') => number(word).map(Expr::Number),
            Some(_) => Ok(Expr::Name(word.to_owned())),
            None => Err(format!("found `{rest}`; allowed: a number, a name or (")),
        }
    }

    fn operator(&mut self, operators: &[char]) -> Option<char> {
        let rest = self.rest.trim_start();
        let operator = rest.chars().next().filter(|c| operators.contains(c))?;
        self.rest = &rest[1..];
        Some(operator)
    }
}

/// Reads `12`, `0x1f`, `1M`, `64K`, `500ms` or `1.5s`; a time is in microseconds.
pub(super) fn number(word: &str) -> Result<i64, String> {
    let wrong = || {
        format!(
            "found `{word}`; allowed: a number such as 12, 0x1f, 64K, 1M, 2G, 20us, 500ms, 1.5s"
        )
    };
    if let Some(digits) = word.strip_prefix("0x") {
        return i64::from_str_radix(digits, 16).map_err(|_| wrong());
    }
    let units =
        [("ms", 1000), ("us", 1), ("s", 1_000_000), ("K", 1 << 10), ("M", 1 << 20), ("G", 1 << 30)];
    let unit = units.iter().find_map(|(unit, factor)| Some((word.strip_suffix(unit)?, *factor)));
    let (digits, factor) = unit.unwrap_or((word, 1));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if fraction.len() > 6 || (digits.contains('.') && factor == 1) {
        return Err(wrong());
    }
    let whole: i64 = whole.parse().map_err(|_| wrong())?;
    let mut part = 0;
    let mut scale = factor;
    for digit in fraction.chars() {
        scale /= 10;
        part += i64::from(digit.to_digit(10).ok_or_else(wrong)?) * scale;
    }
    whole.checked_mul(factor).and_then(|whole| whole.checked_add(part)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Result<i64, String> {
        let lookup = |name: &str| match name {
            "S" => Ok(10),
            "A.seq" => Ok(3),
            _ => Err(format!("unknown {name}")),
        };
        Expr::parse(text)?.value(&lookup)
    }

    #[test]
    fn expressions_have_the_usual_precedence() {
        for (text, expected) in [
            ("1+2*3", 7),
            ("(1+2)*3", 9),
            ("S - A.seq - 1", 6),
            ("(S-11) % 65536", 65_535),
            ("1M", 1 << 20),
            ("0x10", 16),
            ("1.5s", 1_500_000),
            ("500ms+20us", 500_020),
        ] {
            assert_eq!(value(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_expression_says_what_was_found_and_what_is_allowed() {
        for text in ["", "1+", "(1", "1 2", "1.5", "12x", "1/0", "T"] {
            assert!(value(text).is_err(), "{text}");
        }
        let error = Expr::parse("S seq").expect_err("two names");
        assert_eq!(error, "found ` seq` after `S`; allowed: + - * / % or nothing");
    }
}
