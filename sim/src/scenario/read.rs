//! Typed access to a parsed TOML document, with a line and a key in every error.
//!
//! A [`Section`] is one table, or several laid over each other: the base, a variant's table for the
//! same place, a change during the run. Every key is looked up in the topmost that has it. What the
//! keys mean is not known here.

use super::DeliveryTrace;
use super::error::{LoadError, nearest};
use super::keys::kinds::{Describe, Read};
use super::keys::{Default, Key, Keys, names};
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The text that offsets and lines refer to.
pub(super) struct Source<'a> {
    pub(super) path: &'a Path,
    pub(super) text: &'a str,
    /// The traces that the file names, by name, each read once.
    pub(super) traces: RefCell<BTreeMap<String, KnownTrace>>,
}

/// A trace that has been read.
pub(super) struct KnownTrace {
    pub(super) trace: Arc<DeliveryTrace>,
    /// The file as it is.
    pub(super) bytes: Vec<u8>,
}

impl<'a> Source<'a> {
    pub(super) fn new(path: &'a Path, text: &'a str) -> Self {
        Self { path, text, traces: RefCell::default() }
    }

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

/// One table of the file, or several over each other.
#[derive(Clone)]
pub(super) struct Section<'a> {
    source: &'a Source<'a>,
    /// The base first; later ones are in front of earlier ones. Never empty.
    layers: Vec<Layer<'a>>,
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
        Self::layer(source, String::new(), 0, table.get_ref())
    }

    /// A table that stands for itself.
    pub(super) fn layer(
        source: &'a Source<'a>,
        key: String,
        offset: usize,
        table: &'a DeTable<'a>,
    ) -> Self {
        Self { source, layers: vec![Layer { key, offset, table }] }
    }

    /// The same table with the keys of `over` in front of its own.
    pub(super) fn overlaid(mut self, over: &Self) -> Self {
        self.layers.extend(over.layers.iter().cloned());
        self
    }

    /// The same with a table in front that no text has, called `key` in messages.
    pub(super) fn overlaid_at<'b>(&self, key: &str, table: &'b DeTable<'b>) -> Section<'b>
    where
        'a: 'b,
    {
        let over = Section::layer(self.source, key.to_owned(), 0, table);
        Section::<'b>::overlaid(self.clone(), &over)
    }

    /// Each table on its own, the base first.
    pub(super) fn layers(&self) -> impl Iterator<Item = Self> + use<'_, 'a> {
        let alone = |layer: &Layer<'a>| Self { source: self.source, layers: vec![layer.clone()] };
        self.layers.iter().map(alone)
    }

    /// The same table under another name, for an element of an array once its name is known.
    pub(super) fn renamed(mut self, key: &str) -> Self {
        for layer in &mut self.layers {
            key.clone_into(&mut layer.key);
        }
        self
    }

    /// The layer that a message about the whole table is about.
    fn top(&self) -> &Layer<'a> {
        self.layers.last().expect("a section has a table")
    }

    /// Refuses any key that is not among `allowed`.
    pub(super) fn allow_only(&self, allowed: &[Keys], problem: &str) -> Result<(), LoadError> {
        self.layers.iter().try_for_each(|layer| self.check_layer(layer, allowed, problem))
    }

    /// The same, but not for what is below the topmost table that has `key`, which decides what the
    /// others are good for.
    pub(super) fn allow_only_since(
        &self,
        key: &str,
        allowed: &[Keys],
        problem: &str,
    ) -> Result<(), LoadError> {
        for layer in self.layers.iter().rev() {
            self.check_layer(layer, allowed, problem)?;
            if layer.table.contains_key(key) {
                break;
            }
        }
        Ok(())
    }

    fn check_layer(
        &self,
        layer: &Layer<'a>,
        allowed: &[Keys],
        problem: &str,
    ) -> Result<(), LoadError> {
        let allowed = names(allowed);
        let unknown = layer.table.keys().find(|key| {
            let name: &str = key.get_ref();
            !allowed.contains(&name)
        });
        let Some(unknown) = unknown else { return Ok(()) };
        let name: &str = unknown.get_ref();
        let at = unknown.span().start;
        Err(LoadError {
            suggestion: nearest(name, allowed.iter().copied()).map(Box::from),
            allowed: Some(allowed.join(", ").into()),
            ..self.source.error(at, &layer.path(name), problem)
        })
    }

    fn find(&self, key: &str) -> Option<Value<'a>> {
        let layers = self.layers.iter().rev();
        let mut found = layers.filter_map(|layer| Some((layer, layer.table.get(key)?)));
        let (layer, value) = found.next()?;
        Some(Value { source: self.source, key: layer.path(key), value })
    }

    /// The value of a key, if the file has it.
    pub(super) fn value<K: Describe>(&self, key: &Key<K>) -> Option<Value<'a>> {
        self.find(key.name)
    }

    /// The same for a key that has to be there.
    pub(super) fn need_value<K: Describe>(&self, key: &Key<K>) -> Result<Value<'a>, LoadError> {
        self.find(key.name).ok_or_else(|| LoadError {
            allowed: Some(key.kind.form().into()),
            ..self.source.error(self.top().offset, &self.top().path(key.name), "missing")
        })
    }

    /// Whether there is a value for a key.
    pub(super) fn has(&self, key: &str) -> bool {
        self.find(key).is_some()
    }

    /// What a key says, if the file has it.
    pub(super) fn get<K: Read>(&self, key: &Key<K>) -> Result<Option<K::Out>, LoadError> {
        self.value(key).map(|value| key.kind.read(&value)).transpose()
    }

    /// What a key says, which is its default in a file that does not have it.
    pub(super) fn need<K: Read>(&self, key: &Key<K>) -> Result<K::Out, LoadError> {
        match (self.find(key.name), key.default) {
            (None, Default::Is(text)) => default_of(key, text),
            _ => key.kind.read(&self.need_value(key)?),
        }
    }

    /// The error for two keys that contradict each other, about the first that the file has.
    pub(super) fn conflict(&self, keys: &[&str], problem: &str, allowed: &str) -> LoadError {
        let value = keys.iter().find_map(|key| self.find(key));
        value.map_or_else(|| self.error(problem, allowed), |value| value.error(problem, allowed))
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

    /// The tables of the array under `key` in the topmost table that has it; none when none does.
    pub(super) fn array(&self, key: &str) -> Result<Vec<Self>, LoadError> {
        let Some(value) = self.find(key) else { return Ok(Vec::new()) };
        value.elements(&format!("[[{}]] headers", value.key))?.map(|item| item.table()).collect()
    }

    /// The keys of the topmost table in the order of the file, with their values.
    pub(super) fn entries(&self) -> Vec<(&'a str, Value<'a>)> {
        let layer = self.top();
        let mut entries: Vec<_> = layer.table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        let entry = |(key, value): (&'a Spanned<Cow<'a, str>>, _)| {
            let name: &'a str = key.get_ref();
            (name, Value { source: self.source, key: layer.path(name), value })
        };
        entries.into_iter().map(entry).collect()
    }

    /// The value of `kind.name.key` in the topmost table that has it, where `kind` holds named
    /// tables or an array of tables with a `name`.
    pub(super) fn at_path(&self, kind: &str, name: &str, key: &str) -> Option<Value<'a>> {
        let within = |layer: Self| {
            let held = layer.find(kind)?;
            match held.value.get_ref() {
                DeValue::Table(_) => held.table().ok()?.find(name)?.table().ok()?.find(key),
                _ => {
                    let mut tables = layer.array(kind).ok()?.into_iter();
                    let is_it = |table: &Self| {
                        table.find("name").is_some_and(|value| value.string() == Ok(name))
                    };
                    tables.find(is_it)?.find(key)
                }
            }
        };
        self.layers().filter_map(within).last()
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
pub(crate) struct Value<'a> {
    source: &'a Source<'a>,
    pub(super) key: String,
    value: &'a Spanned<DeValue<'a>>,
}

impl<'a> Value<'a> {
    pub(super) fn source(&self) -> &'a Source<'a> {
        self.source
    }

    pub(super) fn raw(&self) -> &'a Spanned<DeValue<'a>> {
        self.value
    }

    /// The value as the file has it, a text without its quotes.
    pub(super) fn bare(&self) -> Cow<'a, str> {
        match self.value.get_ref() {
            DeValue::String(text) => Cow::Borrowed(&**text),
            _ => Cow::Borrowed(self.source.text.get(self.value.span()).unwrap_or_default()),
        }
    }

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
    pub(super) fn name(&self) -> Result<&'a str, LoadError> {
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

    pub(super) fn is_table(&self) -> bool {
        self.value.get_ref().is_table()
    }

    pub(super) fn is_array(&self) -> bool {
        self.value.get_ref().is_array()
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
        Ok(Section::layer(self.source, self.key.clone(), offset, table))
    }
}

/// A default is written as in a file, and read by the same rules.
fn default_of<K: Read>(key: &Key<K>, text: &str) -> Result<K::Out, LoadError> {
    let source = Source::new(Path::new("default"), text);
    let value = DeValue::parse(text)
        .map_err(|error| source.error(0, key.name, &error.message().replace('\n', ", ")))?;
    key.kind.read(&Value { source: &source, key: key.name.to_owned(), value: &value })
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
