//! The panes, and the orders of their rows.

/// A pane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Pane {
    /// Incidents.
    #[default]
    Incidents = 0,
    /// Sources.
    Sources = 1,
    /// Ports.
    Ports = 2,
    /// Rates.
    Rates = 3,
}

impl Pane {
    /// All panes, in the order of their numbers and keys.
    pub(super) const ALL: [Self; 4] = [Self::Incidents, Self::Sources, Self::Ports, Self::Rates];

    /// Title.
    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Incidents => "Incidents",
            Self::Sources => "Sources",
            Self::Ports => "Ports",
            Self::Rates => "Rates",
        }
    }

    /// The orders there are, the first by default.
    pub(super) const fn orders(self) -> &'static [Order] {
        match self {
            Self::Incidents => &[Order::Severity, Order::Seen, Order::Pairs, Order::Hosts],
            Self::Sources => &[Order::Pairs, Order::Failed, Order::Hosts, Order::Ports, Order::Seen],
            Self::Ports => &[Order::Sources, Order::Number],
            Self::Rates => &[Order::Rate, Order::Total, Order::Name],
        }
    }

    /// The pane after it, or before.
    pub(super) fn next(self, is_back: bool) -> Self {
        let count = Self::ALL.len();
        Self::ALL[(self as usize + if is_back { count - 1 } else { 1 }) % count]
    }
}

/// What rows are sorted by: numbers fall, names rise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Severity,
    Seen,
    Pairs,
    Hosts,
    Ports,
    Failed,
    Sources,
    Number,
    Rate,
    Total,
    Name,
}

impl Order {
    /// As it is shown.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Severity => "severity",
            Self::Seen => "last seen",
            Self::Pairs => "pairs",
            Self::Hosts => "hosts",
            Self::Ports => "ports",
            Self::Failed => "failed",
            Self::Sources => "sources",
            Self::Number => "port",
            Self::Rate => "rate",
            Self::Total => "total",
            Self::Name => "name",
        }
    }
}
