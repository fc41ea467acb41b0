//! Who is shown which form (reference: role-based forms).

use std::collections::HashSet;

use custodia_schema::Guid;
use serde::Serialize;

/// Whom a main form is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Display {
    /// Open to everybody.
    pub everyone: bool,
    /// Or to whoever holds one of these roles: ids of roles in the root unit.
    pub roles: Vec<Guid>,
    /// Its place among the forms of its table, the least first.
    pub order: u32,
    /// Shown to whom no other form is.
    pub fallback: bool,
}

impl Default for Display {
    /// A form that says nothing is open to everybody and stands behind those that have an order.
    fn default() -> Self {
        Self { everyone: true, roles: Vec::new(), order: u32::MAX, fallback: false }
    }
}

/// Who asks for forms, as far as it decides which.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holder {
    /// Root ids of the roles held, through teams as well.
    pub roots: HashSet<Guid>,
    /// Sees every active form: System Administrator and System Customizer.
    pub sees_all: bool,
}

/// The positions of the active main forms that `holder` gets, in order; the first is the default. `forms` are all active
/// main forms of one table with name and id, which order those of equal place.
#[must_use]
pub fn visible_forms(forms: &[(&Display, &str, Guid)], holder: &Holder) -> Vec<usize> {
    let mut order: Vec<usize> = (0..forms.len()).collect();
    order.sort_by_key(|at| forms.get(*at).map(|(display, name, id)| (display.order, *name, *id)));
    let of = |choose: &dyn Fn(&Display) -> bool| -> Vec<usize> {
        order.iter().copied().filter(|at| forms.get(*at).is_some_and(|(display, ..)| choose(display))).collect()
    };
    if holder.sees_all {
        return order;
    }
    let bound = of(&|display| display.everyone || display.roles.iter().any(|role| holder.roots.contains(role)));
    if bound.is_empty() { of(&|display| display.fallback) } else { bound }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

    use super::*;

    fn display(everyone: bool, roles: &[u128], order: u32, fallback: bool) -> Display {
        Display { everyone, roles: roles.iter().map(|id| Guid::from_u128(*id)).collect(), order, fallback }
    }

    fn shown(displays: &[Display], roots: &[u128], sees_all: bool) -> Vec<usize> {
        let forms: Vec<_> =
            displays.iter().enumerate().map(|(at, d)| (d, "form", Guid::from_u128(at as u128))).collect();
        visible_forms(&forms, &Holder { roots: roots.iter().map(|id| Guid::from_u128(*id)).collect(), sees_all })
    }

    #[test]
    fn who_gets_which_forms_in_which_order() {
        let forms = [display(false, &[7], 2, false), display(true, &[], 1, false), display(false, &[], 0, true)];
        assert_eq!(shown(&forms, &[], false), [1]);
        assert_eq!(shown(&forms, &[7], false), [1, 0]);
        assert_eq!(shown(&forms, &[], true), [2, 1, 0]);
        let bound = [display(false, &[7], 2, false), display(false, &[8], 1, true), display(false, &[9], 0, true)];
        assert_eq!(shown(&bound, &[], false), [2, 1]);
        assert_eq!(shown(&bound, &[7], false), [0]);
    }
}
