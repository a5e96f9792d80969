//! One value of a scenario file: what it is, and the messages about it.

use super::{Section, Source};
use crate::scenario::error::{LoadError, nearest};
use std::borrow::Cow;
use toml::Spanned;
use toml::de::DeValue;

/// One value of the file.
pub(crate) struct Value<'a> {
    pub(super) source: &'a Source<'a>,
    pub(crate) key: String,
    pub(super) value: &'a Spanned<DeValue<'a>>,
}

impl<'a> Value<'a> {
    pub(crate) fn source(&self) -> &'a Source<'a> {
        self.source
    }

    pub(crate) fn raw(&self) -> &'a Spanned<DeValue<'a>> {
        self.value
    }

    /// The value as the file has it, a text without its quotes.
    pub(crate) fn bare(&self) -> Cow<'a, str> {
        match self.value.get_ref() {
            DeValue::String(text) => Cow::Borrowed(&**text),
            _ => Cow::Borrowed(self.source.text.get(self.value.span()).unwrap_or_default()),
        }
    }

    pub(crate) fn line(&self) -> usize {
        self.source.line(self.value.span().start)
    }

    /// The value as a message shows it.
    pub(crate) fn shown(&self) -> String {
        match self.value.get_ref() {
            DeValue::String(text) if text.chars().nth(SHOWN_MAX).is_some() => {
                let start: String = text.chars().take(SHOWN_MAX).collect();
                format!("{start:?} and so on")
            }
            DeValue::String(text) => format!("{text:?}"),
            DeValue::Array(_) => "an array".to_owned(),
            DeValue::Table(_) => "a table".to_owned(),
            _ => self.source.text.get(self.value.span()).unwrap_or_default().to_owned(),
        }
    }

    pub(crate) fn error(&self, problem: &str, allowed: &str) -> LoadError {
        LoadError {
            given: Some(self.shown().into()),
            allowed: Some(allowed.into()),
            ..self.source.error(self.value.span().start, &self.key, problem)
        }
    }

    /// The error for a name that is not among `allowed`.
    pub(crate) fn unknown<'n>(
        &self,
        problem: &str,
        allowed: impl IntoIterator<Item = &'n str> + Clone,
    ) -> LoadError {
        let given = self.string().unwrap_or_default();
        let list: Vec<_> = allowed.clone().into_iter().map(|name| format!("{name:?}")).collect();
        let list =
            if list.is_empty() { "nothing, none exists".to_owned() } else { list.join(", ") };
        LoadError {
            suggestion: nearest(given, allowed).map(Box::from),
            ..self.error(problem, &list)
        }
    }

    pub(crate) fn string(&self) -> Result<&'a str, LoadError> {
        match self.value.get_ref() {
            DeValue::String(text) => Ok(text),
            _ => Err(self.error("not a string", "a text in quotes")),
        }
    }

    /// What `parse` makes of a text.
    pub(crate) fn parsed<T>(&self, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        self.string().ok().and_then(parse)
    }

    /// A name that metrics can refer to.
    pub(crate) fn name(&self) -> Result<&'a str, LoadError> {
        let text = self.string()?;
        check_name(text).map_err(|form| self.error("not a name", form))?;
        Ok(text)
    }

    pub(crate) fn boolean(&self) -> Option<bool> {
        match self.value.get_ref() {
            DeValue::Boolean(value) => Some(*value),
            _ => None,
        }
    }

    pub(crate) fn integer(&self) -> Option<u64> {
        match self.value.get_ref() {
            DeValue::Integer(value) => u64::from_str_radix(value.as_str(), value.radix()).ok(),
            _ => None,
        }
    }

    /// An integer or a decimal number, finite.
    pub(crate) fn number(&self) -> Option<f64> {
        let parsed = match self.value.get_ref() {
            DeValue::Float(value) => value.as_str().parse().ok(),
            DeValue::Integer(value) if value.radix() == 10 => value.as_str().parse().ok(),
            _ => None,
        };
        parsed.filter(|value: &f64| value.is_finite())
    }

    pub(crate) fn is_table(&self) -> bool {
        self.value.get_ref().is_table()
    }

    pub(crate) fn is_array(&self) -> bool {
        self.value.get_ref().is_array()
    }

    pub(crate) fn elements(
        &self,
        form: &str,
    ) -> Result<impl Iterator<Item = Self> + use<'a>, LoadError> {
        let DeValue::Array(array) = self.value.get_ref() else {
            return Err(self.error("not an array", form));
        };
        let (source, key) = (self.source, self.key.clone());
        Ok(array.iter().map(move |value| Value { source, key: key.clone(), value }))
    }

    pub(crate) fn table(&self) -> Result<Section<'a>, LoadError> {
        self.table_at(self.value.span().start)
    }

    pub(super) fn table_at(&self, offset: usize) -> Result<Section<'a>, LoadError> {
        let DeValue::Table(table) = self.value.get_ref() else {
            return Err(self.error("not a table", "a table"));
        };
        Ok(Section::layer(self.source, self.key.clone(), offset, table))
    }
}

/// Names are parts of dotted metric names, of columns and of legends.
pub(super) fn check_name(text: &str) -> Result<(), &'static str> {
    let fits = (1..=NAME_LENGTH_MAX).contains(&text.len());
    if fits && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) {
        return Ok(());
    }
    Err("1 to 24 of the characters A-Z, a-z, 0-9, - and _")
}

/// Characters of a value that a message shows.
const SHOWN_MAX: usize = 80;

/// Longer names would run into each other in legends.
const NAME_LENGTH_MAX: usize = 24;
