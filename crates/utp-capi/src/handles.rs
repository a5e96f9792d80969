//! What programs hold of contexts and sockets: pointers that lead nowhere, and the table that says
//! what each of them means.
//!
//! A handle has a place in a table and the number of what was there when it was made. Nothing is
//! ever read where it points, so that one whose context or socket is gone, or that never was one,
//! is found out.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use slab::Slab;

use crate::context::Context;
use crate::types::{UtpContext, UtpSocket};

/// How the bits of a handle are shared out: contexts that may exist, sockets of each, and numbers
/// until one is used again. The lowest bits are 0, as in a pointer to anything large.
#[cfg(target_pointer_width = "64")]
const BITS: Bits = Bits { low: 4, slot: 20, generation: 24, context: 13 };
#[cfg(not(target_pointer_width = "64"))]
const BITS: Bits = Bits { low: 2, slot: 13, generation: 10, context: 5 };

/// The highest bits: no handle is null, and no handle of a socket that of a context. On 64-bit
/// systems no memory has such an address, so that neither a garbage collector nor a debugger takes
/// it for one.
const MARK: usize = 1 << (usize::BITS - MARK_SHIFT);
const SOCKET: usize = MARK >> 1;
const MARK_SHIFT: u32 = if cfg!(target_pointer_width = "64") { 2 } else { 1 };

struct Bits {
    low: u32,
    slot: u32,
    generation: u32,
    context: u32,
}

const _: () =
    assert!(BITS.low + BITS.slot + BITS.generation + BITS.context <= usize::BITS - 1 - MARK_SHIFT);

/// Names a place in a table and what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Id {
    context: u32,
    slot: u32,
    generation: u32,
}

impl Id {
    /// The id of a context in this place, unless there are too many.
    fn of_context(context: usize) -> Option<Self> {
        Some(Self {
            context: within(context, BITS.context)?,
            slot: 0,
            generation: next_generation(),
        })
    }

    /// The id of a socket of the context in this place, unless there are too many.
    pub(crate) fn socket(self, slot: usize) -> Option<Self> {
        let slot = within(slot, BITS.slot)?;
        Some(Self { slot, generation: next_generation(), ..self })
    }

    /// Where it is in its table.
    pub(crate) const fn slot(self) -> usize {
        self.slot as usize
    }

    fn pack(self, mark: usize) -> usize {
        let mut bits = self.context as usize;
        bits = bits << BITS.generation | self.generation as usize;
        bits = bits << BITS.slot | self.slot as usize;
        bits << BITS.low | mark
    }

    fn unpack(handle: usize, mark: usize) -> Option<Self> {
        let mut bits = (handle ^ mark) >> BITS.low;
        let mut take = |width| {
            let value = bits & ((1_usize << width) - 1);
            bits >>= width;
            u32::try_from(value).ok()
        };
        let (slot, generation, context) =
            (take(BITS.slot)?, take(BITS.generation)?, take(BITS.context)?);
        let id = Self { context, slot, generation };
        (id.pack(mark) == handle).then_some(id)
    }

    pub(crate) fn context_handle(self) -> *mut UtpContext {
        std::ptr::without_provenance_mut(self.pack(MARK))
    }

    pub(crate) fn socket_handle(self) -> *mut UtpSocket {
        std::ptr::without_provenance_mut(self.pack(MARK | SOCKET))
    }
}

fn within(place: usize, bits: u32) -> Option<u32> {
    u32::try_from(place).ok().filter(|place| place >> bits == 0)
}

/// Numbers are drawn for all contexts and sockets alike, so that what takes a place has another
/// than what had it.
fn next_generation() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed) & ((1 << BITS.generation) - 1)
}

/// Every context of the process.
static CONTEXTS: RwLock<Slab<Arc<Context>>> = RwLock::new(Slab::new());

/// Makes a context.
pub(crate) fn register() -> Option<*mut UtpContext> {
    let mut contexts = CONTEXTS.write().unwrap_or_else(PoisonError::into_inner);
    let entry = contexts.vacant_entry();
    let id = Id::of_context(entry.key())?;
    entry.insert(Arc::new(Context::new(id)));
    Some(id.context_handle())
}

/// Forgets a context. Whoever is at work on it finds that it has ended.
pub(crate) fn unregister(id: Id) {
    let mut contexts = CONTEXTS.write().unwrap_or_else(PoisonError::into_inner);
    let place = id.context as usize;
    if contexts.get(place).is_some_and(|context| context.id() == id) {
        contexts.remove(place);
    }
}

/// The context behind a handle, unless it is gone or the handle is none.
pub(crate) fn context(handle: *mut UtpContext) -> Option<Arc<Context>> {
    let id = Id::unpack(handle.addr(), MARK)?;
    find(id.context).filter(|context| context.id() == id)
}

/// The context of the socket behind a handle, and what the socket is called there. Whether it
/// exists is for the context to say.
pub(crate) fn socket(handle: *mut UtpSocket) -> Option<(Arc<Context>, Id)> {
    let id = Id::unpack(handle.addr(), MARK | SOCKET)?;
    Some((find(id.context)?, id))
}

fn find(place: u32) -> Option<Arc<Context>> {
    let contexts = CONTEXTS.read().unwrap_or_else(PoisonError::into_inner);
    contexts.get(place as usize).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_come_back_as_they_went_and_of_their_kind_only() {
        let context = Id::of_context(3).unwrap();
        let socket = context.socket(17).unwrap();
        let (of_context, of_socket) =
            (context.context_handle().addr(), socket.socket_handle().addr());
        assert_eq!(Id::unpack(of_context, MARK), Some(context));
        assert_eq!(Id::unpack(of_socket, MARK | SOCKET), Some(socket));
        assert_eq!(Id::unpack(of_context, MARK | SOCKET), None);
        assert_eq!(Id::unpack(of_socket, MARK), None);
        assert_ne!(context.socket(17).unwrap(), socket, "another socket in the same place");
    }

    #[test]
    fn nothing_else_is_a_handle() {
        let handle = Id::of_context(0).unwrap().context_handle().addr();
        for other in [0, 1, usize::MAX, handle | 1, handle ^ (1 << (usize::BITS - 1)), 1 << 12] {
            assert_eq!(Id::unpack(other, MARK), None, "{other:x}");
        }
    }

    #[test]
    fn there_is_an_end_to_places() {
        let context = Id::of_context((1 << BITS.context) - 1).unwrap();
        assert!(Id::of_context(1 << BITS.context).is_none());
        assert!(context.socket((1 << BITS.slot) - 1).is_some());
        assert!(context.socket(1 << BITS.slot).is_none());
    }
}
