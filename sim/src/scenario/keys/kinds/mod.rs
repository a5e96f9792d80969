//! The types that values of keys have: how each is written, read and described.

mod quantities;

pub(crate) use quantities::{Drift, Number, Offset, Pace, Rate, Share, Size, Time, Whole};

use crate::scenario::error::LoadError;
use crate::scenario::read::Value;
use crate::scenario::units::{self, WINDOW_FORM};
use crate::time::Ns;

/// What people are told of a type.
pub(crate) trait Describe {
    /// A word or two.
    fn name(&self) -> String;

    /// How a value is written.
    fn form(&self) -> String;

    /// Which values are allowed.
    fn range(&self) -> String;
}

/// A type whose values can be read on their own.
pub(crate) trait Read: Describe {
    /// What a value becomes.
    type Out;

    /// Reads a value and checks its range.
    fn read(&self, value: &Value<'_>) -> Result<Self::Out, LoadError>;
}

/// True or false.
pub(crate) struct Flag;

impl Describe for Flag {
    fn name(&self) -> String {
        "boolean".to_owned()
    }

    fn form(&self) -> String {
        "true, false".to_owned()
    }

    fn range(&self) -> String {
        self.form()
    }
}

impl Read for Flag {
    type Out = bool;

    fn read(&self, value: &Value<'_>) -> Result<bool, LoadError> {
        value.boolean().ok_or_else(|| value.error("not a boolean", &self.form()))
    }
}

/// Something that is said with true, and otherwise not said.
pub(crate) struct Yes;

impl Describe for Yes {
    fn name(&self) -> String {
        "boolean".to_owned()
    }

    fn form(&self) -> String {
        "true".to_owned()
    }

    fn range(&self) -> String {
        self.form()
    }
}

impl Read for Yes {
    type Out = ();

    fn read(&self, value: &Value<'_>) -> Result<(), LoadError> {
        let yes = value.boolean().filter(|&yes| yes);
        yes.map(|_| ()).ok_or_else(|| value.error("nothing that can be", "true, or not the key"))
    }
}

/// One of some names.
pub(crate) struct Choice<T: 'static>(pub(crate) &'static [(&'static str, T)]);

impl<T> Describe for Choice<T> {
    fn name(&self) -> String {
        "text".to_owned()
    }

    fn form(&self) -> String {
        let names: Vec<_> = self.0.iter().map(|(name, _)| format!("{name:?}")).collect();
        names.join(", ")
    }

    fn range(&self) -> String {
        self.form()
    }
}

impl<T: Copy> Read for Choice<T> {
    type Out = T;

    fn read(&self, value: &Value<'_>) -> Result<T, LoadError> {
        let given = value.string()?;
        let found = self.0.iter().find(|(name, _)| *name == given);
        found
            .map(|(_, value)| *value)
            .ok_or_else(|| value.unknown("unknown value", self.0.iter().map(|(name, _)| *name)))
    }
}

/// One line for people.
pub(crate) struct Line(pub(in crate::scenario) usize);

impl Describe for Line {
    fn name(&self) -> String {
        "text".to_owned()
    }

    fn form(&self) -> String {
        format!("one line of 1 to {} characters", self.0)
    }

    fn range(&self) -> String {
        self.form()
    }
}

impl Read for Line {
    type Out = String;

    fn read(&self, value: &Value<'_>) -> Result<String, LoadError> {
        let text = value.string()?;
        let fits = (1..=self.0).contains(&text.chars().count());
        if !fits || text.chars().any(char::is_control) {
            return Err(value.error("not a line of text", &self.form()));
        }
        Ok(text.to_owned())
    }
}

/// A span of the run.
pub(crate) struct Window;

impl Describe for Window {
    fn name(&self) -> String {
        "window".to_owned()
    }

    fn form(&self) -> String {
        WINDOW_FORM.to_owned()
    }

    fn range(&self) -> String {
        "within the run, in steps of 100 ms".to_owned()
    }
}

impl Read for Window {
    type Out = (Ns, Ns);

    fn read(&self, value: &Value<'_>) -> Result<(Ns, Ns), LoadError> {
        let window = value.parsed(units::parse_window);
        window.ok_or_else(|| value.error("not a window", WINDOW_FORM))
    }
}

/// A type that only its place knows how to read: a name of something, a list, a table.
pub(crate) struct Other {
    pub(crate) name: &'static str,
    pub(crate) form: &'static str,
}

impl Describe for Other {
    fn name(&self) -> String {
        self.name.to_owned()
    }

    fn form(&self) -> String {
        self.form.to_owned()
    }

    fn range(&self) -> String {
        self.form()
    }
}
