//! State that only matters while data flows: on the heap from its first change until the
//! connection idles.

use std::ops::{Deref, DerefMut};

/// What a part of a connection is like while nothing flows; the same as its default.
pub(crate) trait AtRest: Default + 'static {
    /// The state at rest.
    const AT_REST: &'static Self;
}

/// A `T` that costs a pointer while it is at rest.
///
/// It reads like a `T`. The first mutable use allocates, so what an idle connection does (a
/// keepalive, an ack of one) must only read. Memory is given back by [`Self::rest`] alone, once
/// per idle time: never per packet.
#[derive(Debug, Default)]
pub(crate) struct Lazy<T>(Option<Box<T>>);

impl<T> Lazy<T> {
    /// Whether it takes no memory.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.0.is_none()
    }

    /// Back to rest.
    pub(crate) fn rest(&mut self) {
        self.0 = None;
    }
}

impl<T: AtRest> Deref for Lazy<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_deref().unwrap_or(T::AT_REST)
    }
}

impl<T: AtRest> DerefMut for Lazy<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.get_or_insert_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl AtRest for u32 {
        const AT_REST: &'static Self = &0;
    }

    #[test]
    fn reading_takes_no_memory_and_writing_does_until_it_rests() {
        let mut lazy = Lazy::<u32>::default();
        assert_eq!((*lazy, lazy.0.is_none()), (0, true));
        *lazy += 5;
        assert_eq!((*lazy, lazy.0.is_none()), (5, false));
        lazy.rest();
        assert_eq!((*lazy, lazy.0.is_none()), (0, true));
    }
}
