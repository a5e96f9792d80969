//! Every key of a scenario file, in one place: its type, range, default and meaning.
//!
//! The loader reads through these tables, so that what it accepts, what its messages say and what
//! `scenarios/README.md` explains cannot differ.

pub(crate) mod flow;
pub(crate) mod general;
pub(crate) mod kinds;
pub(crate) mod link;
pub(crate) mod queue;

use kinds::Describe;

/// One key.
pub(crate) struct Key<K> {
    pub(crate) name: &'static str,
    pub(crate) kind: K,
    pub(crate) default: Default,
    /// Its meaning, a sentence.
    pub(crate) says: &'static str,
}

/// What holds when a key is absent.
#[derive(Clone, Copy)]
pub(crate) enum Default {
    /// This value, as a file would have it.
    Is(&'static str),
    /// What these words say.
    None(&'static str),
    /// The key has to be there.
    Required,
}

/// A key of any type.
pub(crate) trait Entry: Sync {
    fn name(&self) -> &'static str;
    fn kind(&self) -> &dyn Describe;
    fn default(&self) -> Default;
    fn says(&self) -> &'static str;
}

impl<K: Describe + Sync> Entry for Key<K> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn kind(&self) -> &dyn Describe {
        &self.kind
    }

    fn default(&self) -> Default {
        self.default
    }

    fn says(&self) -> &'static str {
        self.says
    }
}

/// The keys that can stand together.
pub(crate) type Keys = &'static [&'static dyn Entry];

/// The names of keys, in order.
pub(crate) fn names(tables: &[Keys]) -> Vec<&'static str> {
    tables.iter().flat_map(|keys| keys.iter()).map(|key| key.name()).collect()
}
