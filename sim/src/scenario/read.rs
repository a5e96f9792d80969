//! Typed access to a parsed TOML document, with a line and a key in every error.
//!
//! A [`Section`] is one table, or a variant's table laid over the base table of the same place:
//! every key is looked up in the variant first. What the keys mean is not known here.

use super::error::{LoadError, nearest};
use super::units;
use crate::time::Ns;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The text that offsets and lines refer to.
pub(super) struct Source<'a> {
    pub(super) path: &'a Path,
    pub(super) text: &'a str,
}

impl Source<'_> {
    /// Line of a byte offset, counted from 1.
    pub(super) fn line(&self, offset: usize) -> usize {
        let end = offset.min(self.text.len());
        1 + self.text.as_bytes()[..end].iter().filter(|&&byte| byte == b'\n').count()
    }

    /// An error about the file as a whole.
    pub(super) fn unreadable(&self, problem: &str) -> LoadError {
        LoadError { line: 0, ..self.error(0, "", problem) }
    }

    /// An error without a value or a list of what is allowed.
    pub(super) fn error(&self, offset: usize, key: &str, problem: &str) -> LoadError {
        LoadError {
            path: self.path.into(),
            line: self.line(offset),
            key: key.into(),
            problem: problem.into(),
            given: None,
            allowed: None,
            suggestion: None,
        }
    }
}

/// One table of the file, or a variant's table over the base's.
#[derive(Clone)]
pub(super) struct Section<'a> {
    source: &'a Source<'a>,
    base: Layer<'a>,
    over: Option<Layer<'a>>,
}

#[derive(Clone)]
struct Layer<'a> {
    /// Dotted key of the table; empty for the whole file.
    key: String,
    offset: usize,
    table: &'a DeTable<'a>,
}

impl Layer<'_> {
    fn path(&self, key: &str) -> String {
        if self.key.is_empty() { key.to_owned() } else { format!("{}.{key}", self.key) }
    }
}

impl<'a> Section<'a> {
    pub(super) fn root(source: &'a Source<'a>, table: &'a Spanned<DeTable<'a>>) -> Self {
        let base = Layer { key: String::new(), offset: 0, table: table.get_ref() };
        Self { source, base, over: None }
    }

    /// The same table with the keys of `over`, if any, in front of its own.
    pub(super) fn overlaid(&self, over: Option<&Self>) -> Self {
        Self { over: over.map(|over| over.base.clone()), ..self.clone() }
    }

    /// The same table under another name, for an element of an array once its name is known.
    pub(super) fn renamed(mut self, key: String) -> Self {
        self.base.key = key;
        self
    }

    /// The layer that a message about the whole table is about.
    fn top(&self) -> &Layer<'a> {
        self.over.as_ref().unwrap_or(&self.base)
    }

    /// Refuses any key of the top table that is not among `allowed`.
    pub(super) fn allow_only(&self, allowed: &[&str], problem: &str) -> Result<(), LoadError> {
        let unknown = self.top().table.keys().find(|key| {
            let name: &str = key.get_ref();
            !allowed.contains(&name)
        });
        let Some(unknown) = unknown else { return Ok(()) };
        let name: &str = unknown.get_ref();
        let at = unknown.span().start;
        Err(LoadError {
            allowed: Some(allowed.join(", ").into()),
            suggestion: nearest(name, allowed.iter().copied()).map(Box::from),
            ..self.source.error(at, &self.top().path(name), problem)
        })
    }

    pub(super) fn find(&self, key: &str) -> Option<Value<'a>> {
        let layers = self.over.iter().chain([&self.base]);
        let mut found = layers.filter_map(|layer| Some((layer, layer.table.get(key)?)));
        let (layer, value) = found.next()?;
        Some(Value { source: self.source, key: layer.path(key), value })
    }

    /// Like [`Self::find`] for a key that has no default; `form` says what it must look like.
    pub(super) fn need(&self, key: &str, form: &str) -> Result<Value<'a>, LoadError> {
        self.find(key).ok_or_else(|| LoadError {
            allowed: Some(form.into()),
            ..self.source.error(self.top().offset, &self.top().path(key), "missing")
        })
    }

    /// The named tables under `key` in the order of the file; none when the key is absent.
    pub(super) fn tables(&self, key: &str) -> Result<Vec<(&'a str, Self)>, LoadError> {
        let Some(value) = self.find(key) else { return Ok(Vec::new()) };
        let DeValue::Table(table) = value.value.get_ref() else {
            return Err(value.error("not a table", &format!("[{}.NAME] headers", value.key)));
        };
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(name, _)| name.span().start);
        let mut sections = Vec::new();
        for (name, entry) in entries {
            let text: &'a str = name.get_ref();
            let path = format!("{}.{text}", value.key);
            let at = name.span().start;
            check_name(text).map_err(|form| LoadError {
                allowed: Some(form.into()),
                ..self.source.error(at, &path, "not a name")
            })?;
            let entry = Value { source: self.source, key: path, value: entry };
            sections.push((text, entry.table_at(at)?));
        }
        Ok(sections)
    }

    /// The tables of the array under `key`; none when the key is absent.
    pub(super) fn array(&self, key: &str) -> Result<Vec<Self>, LoadError> {
        let Some(value) = self.find(key) else { return Ok(Vec::new()) };
        value.elements(&format!("[[{}]] headers", value.key))?.map(|item| item.table()).collect()
    }

    /// The error for a table whose name is not among `allowed`.
    pub(super) fn unknown_name<'n>(
        &self,
        problem: &str,
        given: &str,
        allowed: impl Iterator<Item = &'n str> + Clone,
    ) -> LoadError {
        let list: Vec<_> = allowed.clone().collect();
        LoadError {
            suggestion: nearest(given, allowed).map(Box::from),
            ..self.error(problem, &list.join(", "))
        }
    }

    /// An error about this table as a whole.
    pub(super) fn error(&self, problem: &str, allowed: &str) -> LoadError {
        LoadError {
            allowed: Some(allowed.into()),
            ..self.source.error(self.top().offset, &self.top().key, problem)
        }
    }
}

/// One value of the file.
pub(super) struct Value<'a> {
    source: &'a Source<'a>,
    pub(super) key: String,
    value: &'a Spanned<DeValue<'a>>,
}

impl<'a> Value<'a> {
    pub(super) fn line(&self) -> usize {
        self.source.line(self.value.span().start)
    }

    /// The value as a message shows it.
    pub(super) fn shown(&self) -> String {
        match self.value.get_ref() {
            DeValue::String(text) => format!("{text:?}"),
            DeValue::Array(_) => "an array".to_owned(),
            DeValue::Table(_) => "a table".to_owned(),
            _ => self.source.text.get(self.value.span()).unwrap_or_default().to_owned(),
        }
    }

    pub(super) fn error(&self, problem: &str, allowed: &str) -> LoadError {
        LoadError {
            given: Some(self.shown().into()),
            allowed: Some(allowed.into()),
            ..self.source.error(self.value.span().start, &self.key, problem)
        }
    }

    /// The error for a name that is not among `allowed`.
    pub(super) fn unknown<'n>(
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

    pub(super) fn string(&self) -> Result<&'a str, LoadError> {
        match self.value.get_ref() {
            DeValue::String(text) => Ok(text),
            _ => Err(self.error("not a string", "a text in quotes")),
        }
    }

    /// A short text for people: one line, not empty.
    pub(super) fn text(&self, length_max: usize) -> Result<&'a str, LoadError> {
        let text = self.string()?;
        let length = text.chars().count();
        if length == 0 || length > length_max || text.chars().any(char::is_control) {
            let form = format!("one line of 1 to {length_max} characters");
            return Err(self.error("not a line of text", &form));
        }
        Ok(text)
    }

    /// A name that metrics can refer to.
    pub(super) fn name(&self) -> Result<&'a str, LoadError> {
        let text = self.string()?;
        check_name(text).map_err(|form| self.error("not a name", form))?;
        Ok(text)
    }

    pub(super) fn boolean(&self) -> Result<bool, LoadError> {
        match self.value.get_ref() {
            DeValue::Boolean(value) => Ok(*value),
            _ => Err(self.error("not a boolean", "true, false")),
        }
    }

    pub(super) fn integer(&self) -> Option<u64> {
        match self.value.get_ref() {
            DeValue::Integer(value) => u64::from_str_radix(value.as_str(), value.radix()).ok(),
            _ => None,
        }
    }

    /// An integer or a decimal number, finite.
    pub(super) fn number(&self) -> Result<f64, LoadError> {
        let parsed = match self.value.get_ref() {
            DeValue::Float(value) => value.as_str().parse().ok(),
            DeValue::Integer(value) if value.radix() == 10 => value.as_str().parse().ok(),
            _ => None,
        };
        parsed
            .filter(|value: &f64| value.is_finite())
            .ok_or_else(|| self.error("not a number", "a finite decimal number"))
    }

    pub(super) fn duration(&self) -> Result<Ns, LoadError> {
        let parsed = self.string().ok().and_then(units::parse_duration);
        parsed.ok_or_else(|| self.error("not a time", units::DURATION_FORM))
    }

    pub(super) fn rate_bps(&self) -> Result<u64, LoadError> {
        let parsed = self.string().ok().and_then(units::parse_rate);
        parsed.ok_or_else(|| self.error("not a rate", units::RATE_FORM))
    }

    pub(super) fn share_ppm(&self) -> Result<u32, LoadError> {
        let parsed = self.string().ok().and_then(units::parse_share_ppm);
        parsed.ok_or_else(|| self.error("not a share", units::SHARE_FORM))
    }

    pub(super) fn size_bytes(&self) -> Result<u64, LoadError> {
        let parsed = self.integer().or_else(|| self.string().ok().and_then(units::parse_size));
        parsed.ok_or_else(|| self.error("not a size", units::SIZE_FORM))
    }

    /// The one of `allowed` that the value names.
    pub(super) fn one_of<T: Copy>(&self, allowed: &[(&str, T)]) -> Result<T, LoadError> {
        let given = self.string()?;
        let found = allowed.iter().find(|(name, _)| *name == given);
        found
            .map(|(_, value)| *value)
            .ok_or_else(|| self.unknown("unknown value", allowed.iter().map(|(name, _)| *name)))
    }

    pub(super) fn elements(
        &self,
        form: &str,
    ) -> Result<impl Iterator<Item = Self> + use<'a>, LoadError> {
        let DeValue::Array(array) = self.value.get_ref() else {
            return Err(self.error("not an array", form));
        };
        let (source, key) = (self.source, self.key.clone());
        Ok(array.iter().map(move |value| Value { source, key: key.clone(), value }))
    }

    pub(super) fn table(&self) -> Result<Section<'a>, LoadError> {
        self.table_at(self.value.span().start)
    }

    fn table_at(&self, offset: usize) -> Result<Section<'a>, LoadError> {
        let DeValue::Table(table) = self.value.get_ref() else {
            return Err(self.error("not a table", "a table"));
        };
        let base = Layer { key: self.key.clone(), offset, table };
        Ok(Section { source: self.source, base, over: None })
    }
}

/// Names are parts of dotted metric names, of columns and of legends.
fn check_name(text: &str) -> Result<(), &'static str> {
    let fits = (1..=NAME_LENGTH_MAX).contains(&text.len());
    if fits && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) {
        return Ok(());
    }
    Err("1 to 24 of the characters A-Z, a-z, 0-9, - and _")
}

/// Longer names would run into each other in legends.
const NAME_LENGTH_MAX: usize = 24;
