//! Bugs of the driver and the store, planted in their models: each must be caught.

/// One rule of the real driver or store, broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// The relay's position is stored before the page that it stands for.
    PositionFirst,
    /// The relay's position is not stored.
    PositionIsForgotten,
    /// How much a relay has is not stored.
    AcknowledgedIsForgotten,
    /// Own segments are cleared away once one relay has them.
    SegmentsAreForgotten,
    /// A copy of a store goes on in the chain of its original.
    CopiesGoOn,
    /// A copy sends what it had again under new numbers.
    CopiesRename,
    /// What is held is not tried again.
    HeldIsForgotten,
    /// Everything that cannot be opened is held.
    HeldWithoutBound,
    /// A segment that is missing is passed over.
    GapsAreSkipped,
    /// A relay's cursor is a bare count, so that nobody sees that it was set back.
    CursorsCount,
}

/// What is wrong, the checker whose promise it breaks, and the bug.
pub const BUGS: [(&str, &str, Bug); 10] = [
    ("a position is stored before its page", "nothing_lost", Bug::PositionFirst),
    ("a position is not stored", "quiescent", Bug::PositionIsForgotten),
    ("what a relay has is not stored", "quiescent", Bug::AcknowledgedIsForgotten),
    ("segments are cleared away once a relay has them", "nothing_lost", Bug::SegmentsAreForgotten),
    ("a copy goes on in its original's chain", "converged", Bug::CopiesGoOn),
    ("a copy sends again under new numbers", "nothing_doubled", Bug::CopiesRename),
    ("what is held is not tried again", "bounded", Bug::HeldIsForgotten),
    ("what is held has no bound", "bounded", Bug::HeldWithoutBound),
    ("a missing segment is passed over", "nothing_lost", Bug::GapsAreSkipped),
    ("a relay's cursor only counts", "converged", Bug::CursorsCount),
];
