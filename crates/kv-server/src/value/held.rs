//! A part of the data that belongs to its place alone, or that a snapshot reads at the same time.

use std::sync::Arc;

/// Shared parts are never changed: who wants to change one gets a part of its own, which is a copy if somebody still
/// reads the shared one.
#[derive(Debug, Clone)]
pub(crate) enum Held<T> {
    Own(T),
    Shared(Arc<T>),
}

impl<T> Held<T> {
    #[inline]
    pub(crate) fn get(&self) -> &T {
        match self {
            Self::Own(own) => own,
            Self::Shared(shared) => shared,
        }
    }

    #[inline]
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self, Self::Shared(_))
    }

    /// To be changed, unless somebody else reads it.
    pub(crate) fn get_alone(&mut self) -> Option<&mut T> {
        match self {
            Self::Own(own) => Some(own),
            Self::Shared(shared) => Arc::get_mut(shared),
        }
    }
}

impl<T: Clone + Default> Held<T> {
    /// To be changed: from now on it belongs to its place alone.
    #[inline]
    pub(crate) fn get_mut(&mut self) -> &mut T {
        if self.is_shared() {
            self.take_back();
        }
        match self {
            Self::Own(own) => own,
            Self::Shared(shared) => Arc::make_mut(shared),
        }
    }

    #[cold]
    fn take_back(&mut self) {
        if let Self::Shared(shared) = std::mem::replace(self, Self::Own(T::default())) {
            *self = Self::Own(Arc::unwrap_or_clone(shared));
        }
    }

    /// Lets somebody else read it, without a copy.
    pub(crate) fn share(&mut self) -> Arc<T> {
        let shared = match std::mem::replace(self, Self::Own(T::default())) {
            Self::Own(own) => Arc::new(own),
            Self::Shared(shared) => shared,
        };
        *self = Self::Shared(shared.clone());
        shared
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shared_stays_as_it_is_and_is_copied_only_while_somebody_reads_it() {
        let mut held = Held::Own(vec![1, 2]);
        let read = held.share();
        assert_eq!(held.get(), &vec![1, 2]);
        assert_eq!(held.get_alone(), None);
        held.get_mut().push(3);
        assert_eq!((held.get(), &*read), (&vec![1, 2, 3], &vec![1, 2]));
        assert!(!held.is_shared());

        let place = held.get().as_ptr();
        drop(held.share());
        assert!(held.is_shared() && held.get_alone().is_some());
        held.get_mut()[0] = 4;
        assert_eq!((held.get(), held.get().as_ptr()), (&vec![4, 2, 3], place));
    }
}
