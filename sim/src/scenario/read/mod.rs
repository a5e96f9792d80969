//! Typed access to a parsed TOML document, with a line and a key in every error.
//!
//! A [`Section`] is one table, or several laid over each other: the base, a variant's table for the
//! same place, a change during the run. Every key is looked up in the topmost that has it. What the
//! keys mean is not known here.

mod value;

pub(crate) use value::Value;

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
use value::check_name;

/// The text that offsets and lines refer to.
pub(crate) struct Source<'a> {
    pub(crate) path: &'a Path,
    pub(crate) text: &'a str,
    /// The traces that the file names, by name, each read once.
    pub(crate) traces: RefCell<BTreeMap<String, KnownTrace>>,
}

/// A trace that has been read.
pub(crate) struct KnownTrace {
    pub(crate) trace: Arc<DeliveryTrace>,
    /// The file as it is.
    pub(crate) bytes: Vec<u8>,
}

impl<'a> Source<'a> {
    pub(crate) fn new(path: &'a Path, text: &'a str) -> Self {
        Self { path, text, traces: RefCell::default() }
    }

    /// Line of a byte offset, counted from 1.
    pub(crate) fn line(&self, offset: usize) -> usize {
        let end = offset.min(self.text.len());
        1 + self.text.as_bytes()[..end].iter().filter(|&&byte| byte == b'\n').count()
    }

    /// An error about the file as a whole.
    pub(crate) fn unreadable(&self, problem: &str) -> LoadError {
        LoadError { line: 0, ..self.error(0, "", problem) }
    }

    /// An error without a value or a list of what is allowed.
    pub(crate) fn error(&self, offset: usize, key: &str, problem: &str) -> LoadError {
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
pub(crate) struct Section<'a> {
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
    pub(crate) fn root(source: &'a Source<'a>, table: &'a Spanned<DeTable<'a>>) -> Self {
        Self::layer(source, String::new(), 0, table.get_ref())
    }

    /// A table that stands for itself.
    pub(crate) fn layer(
        source: &'a Source<'a>,
        key: String,
        offset: usize,
        table: &'a DeTable<'a>,
    ) -> Self {
        Self { source, layers: vec![Layer { key, offset, table }] }
    }

    /// The same table with the keys of `over` in front of its own.
    pub(crate) fn overlaid(mut self, over: &Self) -> Self {
        self.layers.extend(over.layers.iter().cloned());
        self
    }

    /// The same with a table in front that no text has, called `key` in messages.
    pub(crate) fn overlaid_at<'b>(&self, key: &str, table: &'b DeTable<'b>) -> Section<'b>
    where
        'a: 'b,
    {
        let over = Section::layer(self.source, key.to_owned(), 0, table);
        Section::<'b>::overlaid(self.clone(), &over)
    }

    /// Each table on its own, the base first.
    pub(crate) fn layers(&self) -> impl Iterator<Item = Self> + use<'_, 'a> {
        let alone = |layer: &Layer<'a>| Self { source: self.source, layers: vec![layer.clone()] };
        self.layers.iter().map(alone)
    }

    /// The same table under another name, for an element of an array once its name is known.
    pub(crate) fn renamed(mut self, key: &str) -> Self {
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
    pub(crate) fn allow_only(&self, allowed: &[Keys], problem: &str) -> Result<(), LoadError> {
        self.layers.iter().try_for_each(|layer| self.check_layer(layer, allowed, problem))
    }

    /// The same, but not for what is below the topmost table that has `key`, which decides what the
    /// others are good for.
    pub(crate) fn allow_only_since(
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
    pub(crate) fn value<K: Describe>(&self, key: &Key<K>) -> Option<Value<'a>> {
        self.find(key.name)
    }

    /// The same for a key that has to be there.
    pub(crate) fn need_value<K: Describe>(&self, key: &Key<K>) -> Result<Value<'a>, LoadError> {
        self.find(key.name).ok_or_else(|| LoadError {
            allowed: Some(key.kind.form().into()),
            ..self.source.error(self.top().offset, &self.top().path(key.name), "missing")
        })
    }

    /// Whether there is a value for a key.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.find(key).is_some()
    }

    /// What a key says, if the file has it.
    pub(crate) fn get<K: Read>(&self, key: &Key<K>) -> Result<Option<K::Out>, LoadError> {
        self.value(key).map(|value| key.kind.read(&value)).transpose()
    }

    /// What a key says, which is its default in a file that does not have it.
    pub(crate) fn need<K: Read>(&self, key: &Key<K>) -> Result<K::Out, LoadError> {
        match (self.find(key.name), key.default) {
            (None, Default::Is(text)) => default_of(key, text),
            _ => key.kind.read(&self.need_value(key)?),
        }
    }

    /// The error for two keys that contradict each other, about the first that the file has.
    pub(crate) fn conflict(&self, keys: &[&str], problem: &str, allowed: &str) -> LoadError {
        let value = keys.iter().find_map(|key| self.find(key));
        value.map_or_else(|| self.error(problem, allowed), |value| value.error(problem, allowed))
    }

    /// The named tables under `key` in the order of the file; none when the key is absent.
    pub(crate) fn tables(&self, key: &str) -> Result<Vec<(&'a str, Self)>, LoadError> {
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
    pub(crate) fn array(&self, key: &str) -> Result<Vec<Self>, LoadError> {
        let Some(value) = self.find(key) else { return Ok(Vec::new()) };
        value.elements(&format!("[[{}]] headers", value.key))?.map(|item| item.table()).collect()
    }

    /// The keys of the topmost table in the order of the file, with their values.
    pub(crate) fn entries(&self) -> Vec<(&'a str, Value<'a>)> {
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
    pub(crate) fn at_path(&self, kind: &str, name: &str, key: &str) -> Option<Value<'a>> {
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
    pub(crate) fn unknown_name<'n>(
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
    pub(crate) fn error(&self, problem: &str, allowed: &str) -> LoadError {
        LoadError {
            allowed: Some(allowed.into()),
            ..self.source.error(self.top().offset, &self.top().key, problem)
        }
    }
}

/// A default is written as in a file, and read by the same rules.
fn default_of<K: Read>(key: &Key<K>, text: &str) -> Result<K::Out, LoadError> {
    let source = Source::new(Path::new("default"), text);
    let value = DeValue::parse(text)
        .map_err(|error| source.error(0, key.name, &error.message().replace('\n', ", ")))?;
    key.kind.read(&Value { source: &source, key: key.name.to_owned(), value: &value })
}
