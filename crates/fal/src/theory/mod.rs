//! The convergence theorem, simulated: what it says of width, separation, local steps and heterogeneity, as trends.
//!
//! The theorem (Li, Song and Yang 2023): for every `eps` there is `R = poly((NJ/eps)^(1/gamma))` such that for points that
//! are gamma-separable, a network of width `m >= poly(d, R)` and `T >= poly(R)` rounds of any `K >= 1` local steps,
//! `min_t L_A(F_U(t)) <= eps`. It is about training alone. Its `m` and `T` are beyond any computer; what can be seen is the
//! direction in which things go, and what the proof rests on: that neurons hardly move and the network `F` stays near the
//! pseudo-network `G` as `m` grows.
//!
//! | to | read |
//! |---|---|
//! | see what is simulated | [`TheorySettings`], [`TheoryFederation`] |
//! | see the game and its adversary | [`SphereGame`], [`RegressionLoss`], [`SphereAdversary`], [`SphericalCap`] |
//! | run one simulation | [`simulate`], [`Course`], [`Measure`] |
//! | compare many | [`TheoryConfig`], [`Sweep`], [`Ledger`], [`Comparison`] |

mod adversary;
mod cap;
mod comparison;
mod course;
mod deal;
mod federation;
mod figures;
mod game;
mod ledger;
mod loss;
mod settings;
mod sweep;

pub use adversary::{SphereAdversary, SphereAscent, WorstFound};
pub use cap::SphericalCap;
pub use comparison::{Comparison, ComparisonError, Exponents, Row};
pub use course::{Course, Measure, simulate};
pub use deal::deal;
pub use federation::TheoryFederation;
pub use figures::{least_loss_chart, width_chart};
pub use game::{Shift, Shifts, SphereBatch, SphereBatches, SphereGame};
pub use ledger::{Finished, Ledger, LedgerError};
pub use loss::RegressionLoss;
pub use settings::{Measurement, TheorySettings};
pub use sweep::{Simulation, Sweep, SweepValues, TheoryConfig};
