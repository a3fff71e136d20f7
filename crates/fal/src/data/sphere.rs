//! The theorem's data: unit vectors whose last coordinate is 1/2, no two of them closer than a stated distance.

use burn::tensor::backend::Backend;
use burn::tensor::{Device, Tensor, TensorData};
use experiment::seed::Seed;
use rand::{Rng, RngExt};
use rand_distr::{Distribution, StandardNormal};

use super::SphereError;

/// The last coordinate of every point.
const LAST: f64 = 0.5;
/// How often a place is looked for before there is said to be none.
const ATTEMPTS: usize = 20_000;

/// Length of the first coordinates together: `sqrt(1 - (1/2)^2)`.
pub(super) fn radius() -> f64 {
    (1.0 - LAST * LAST).sqrt()
}

/// Points `x` with `|x| = 1` and last coordinate 1/2, each with a target `|y| <= 1`.
#[derive(Clone, Debug, PartialEq)]
pub struct SphereSet {
    dimension: usize,
    /// `[points, dimension]`.
    points: Vec<f64>,
    targets: Vec<f64>,
}

impl SphereSet {
    /// Points that are at least `separation` apart, each drawn uniformly among the places that are far enough from all before
    /// it, with targets of -1 or 1 drawn for each: nothing but memory can tell them.
    ///
    /// # Errors
    /// [`SphereError::Dimension`] below 3 dimensions, [`SphereError::Separation`] outside of 0 to sqrt(3), and
    /// [`SphereError::Full`] if no place is found for a point.
    pub fn separable(
        points: usize,
        dimension: usize,
        separation: f64,
        seed: &Seed,
    ) -> Result<Self, SphereError> {
        if dimension < 3 {
            return Err(SphereError::Dimension(dimension));
        }
        if !(0.0..=2.0 * radius()).contains(&separation) {
            return Err(SphereError::Separation(separation));
        }
        let mut rng = seed.child("points").rng();
        let mut placed: Vec<Vec<f64>> = Vec::with_capacity(points);
        while placed.len() < points {
            let far = |candidate: &Vec<f64>| {
                placed.iter().all(|other| distance(candidate, other) >= separation)
            };
            let found = (0..ATTEMPTS).map(|_| draw(dimension, &mut rng)).find(far);
            let full =
                SphereError::Full { placed: placed.len(), wanted: points, separation, dimension };
            placed.push(found.ok_or(full)?);
        }
        let mut signs = seed.child("targets").rng();
        let targets =
            (0..points).map(|_| if signs.random::<bool>() { 1.0 } else { -1.0 }).collect();
        Ok(Self { dimension, points: placed.concat(), targets })
    }

    /// Any rows put on the sphere, `x` to `(sqrt(3)/2 x/|x|, 1/2)`, so distances between directions shrink by
    /// `sqrt(3)/2`. A row of `d - 1` values is a point of `d`.
    ///
    /// # Errors
    /// [`SphereError::Dimension`] for rows of less than 2 values, [`SphereError::Length`] for rows of different lengths
    /// or not one target a row, [`SphereError::NoDirection`] and [`SphereError::Target`].
    pub fn from_rows<'r>(
        rows: impl IntoIterator<Item = &'r [f32]>,
        targets: Vec<f64>,
    ) -> Result<Self, SphereError> {
        let (mut points, mut length, mut count) = (Vec::new(), None, 0);
        for (index, row) in rows.into_iter().enumerate() {
            let expected = *length.get_or_insert(row.len());
            require_length(&format!("row {index}"), expected, row.len())?;
            let norm = row.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
            if !(norm > 0.0 && norm.is_finite()) {
                return Err(SphereError::NoDirection(index));
            }
            points.extend(row.iter().map(|x| radius() / norm * f64::from(*x)));
            points.push(LAST);
            count += 1;
        }
        let dimension = length.map_or(0, |length| length + 1);
        if dimension < 3 {
            return Err(SphereError::Dimension(dimension));
        }
        require_length("the list of targets", count, targets.len())?;
        Self { dimension, points, targets: vec![0.0; count] }.with_targets(targets)
    }

    /// The same points with other targets.
    ///
    /// # Errors
    /// [`SphereError::Length`] and [`SphereError::Target`].
    pub fn with_targets(self, targets: Vec<f64>) -> Result<Self, SphereError> {
        require_length("the list of targets", self.len(), targets.len())?;
        match targets.iter().position(|target| !(-1.0..=1.0).contains(target)) {
            Some(index) => Err(SphereError::Target { index, value: targets[index] }),
            None => Ok(Self { targets, ..self }),
        }
    }

    /// Number of points.
    pub fn len(&self) -> usize {
        self.targets.len()
    }

    /// Whether there are no points.
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// Coordinates of a point, `d`.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// The targets, from -1 to 1.
    pub fn targets(&self) -> &[f64] {
        &self.targets
    }

    /// One point, `[dimension]`.
    ///
    /// # Panics
    /// If there is no such point.
    pub fn point(&self, index: usize) -> &[f64] {
        &self.points[index * self.dimension..(index + 1) * self.dimension]
    }

    /// Points `[batch, dimension]` and their targets `[batch]`.
    ///
    /// # Panics
    /// If one of `indices` is no point of the set.
    pub fn batch<B: Backend>(
        &self,
        indices: &[usize],
        device: &Device<B>,
    ) -> (Tensor<B, 2>, Tensor<B, 1>) {
        let points: Vec<f64> =
            indices.iter().flat_map(|index| self.point(*index)).copied().collect();
        let targets: Vec<f64> = indices.iter().map(|index| self.targets[*index]).collect();
        let points = TensorData::new(points, [indices.len(), self.dimension]);
        let targets = TensorData::new(targets, [indices.len()]);
        (Tensor::from_data(points, device), Tensor::from_data(targets, device))
    }

    /// The smallest distance between two points, the theorem's delta; infinite for less than two.
    pub fn separation(&self) -> f64 {
        let pairs = (0..self.len()).flat_map(|i| (0..i).map(move |j| (i, j)));
        let distances = pairs.map(|(i, j)| distance(self.point(i), self.point(j)));
        distances.fold(f64::INFINITY, f64::min)
    }
}

/// The largest gamma for which points `separation` apart are separable against perturbations of `radius`:
/// `delta (delta - 2 rho)`. Nothing is separable where it is not above 0.
pub fn separability_margin(separation: f64, radius: f64) -> f64 {
    separation * (separation - 2.0 * radius)
}

/// A point drawn uniformly.
fn draw(dimension: usize, rng: &mut impl Rng) -> Vec<f64> {
    let free: Vec<f64> = (1..dimension).map(|_| StandardNormal.sample(rng)).collect();
    let norm = free.iter().map(|x: &f64| x * x).sum::<f64>().sqrt();
    free.into_iter().map(|x| radius() * x / norm).chain([LAST]).collect()
}

pub(super) fn distance(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt()
}

fn require_length(what: &str, expected: usize, found: usize) -> Result<(), SphereError> {
    if expected == found {
        return Ok(());
    }
    Err(SphereError::Length { what: what.to_owned(), expected, found })
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::backend::Flex;
    use inner_outer::tensors::to_f64;

    fn norm(point: &[f64]) -> f64 {
        point.iter().map(|x| x * x).sum::<f64>().sqrt()
    }

    #[test]
    fn points_are_on_the_sphere_and_apart() {
        let set = SphereSet::separable(30, 6, 0.5, &Seed::new(3)).unwrap();
        assert!(set.separation() >= 0.5 && set.separation() < 0.8, "{}", set.separation());
        for index in 0..set.len() {
            assert!((norm(set.point(index)) - 1.0).abs() < 1e-12);
            assert_eq!((set.point(index)[5], set.targets()[index].abs()), (0.5, 1.0));
        }
        assert!(set.targets().contains(&1.0) && set.targets().contains(&-1.0));
        assert_eq!(set, SphereSet::separable(30, 6, 0.5, &Seed::new(3)).unwrap());
        assert_ne!(set, SphereSet::separable(30, 6, 0.5, &Seed::new(4)).unwrap());
    }

    #[test]
    fn what_has_no_room_is_refused() {
        let make = |points, dimension, delta| {
            SphereSet::separable(points, dimension, delta, &Seed::new(0))
        };
        assert!(matches!(make(2, 2, 0.1), Err(SphereError::Dimension(2))));
        assert!(matches!(make(2, 3, 1.8), Err(SphereError::Separation(_))));
        assert!(matches!(make(2, 3, f64::NAN), Err(SphereError::Separation(_))));
        // A circle of radius sqrt(3)/2 has room for five points that are 1 apart.
        assert!(matches!(make(6, 3, 1.0), Err(SphereError::Full { wanted: 6, .. })));
    }

    #[test]
    fn rows_become_points_and_distances_shrink() {
        let rows: [&[f32]; 2] = [&[3.0, 0.0], &[0.0, 0.5]];
        let set = SphereSet::from_rows(rows, vec![1.0, -0.5]).unwrap();
        assert_eq!(set.dimension(), 3);
        assert!((norm(set.point(1)) - 1.0).abs() < 1e-12);
        assert!((set.separation() - radius() * 2.0_f64.sqrt()).abs() < 1e-12);
        assert!((separability_margin(0.5, 0.1) - 0.15).abs() < 1e-12);
        let (points, targets) = set.batch::<Flex>(&[1], &Default::default());
        assert_eq!((points.dims(), to_f64(&targets)), ([1, 3], vec![-0.5]));
    }

    #[test]
    fn rows_that_are_no_points_are_refused() {
        let make = |rows: &[&[f32]], targets| SphereSet::from_rows(rows.iter().copied(), targets);
        let zero = make(&[&[0.0, 0.0]], vec![0.0]);
        assert!(matches!(zero, Err(SphereError::NoDirection(0))));
        let ragged = make(&[&[1.0, 0.0], &[1.0]], vec![0.0; 2]);
        assert!(matches!(ragged, Err(SphereError::Length { expected: 2, found: 1, .. })));
        let short = make(&[&[1.0, 0.0]], vec![]);
        assert!(matches!(short, Err(SphereError::Length { expected: 1, found: 0, .. })));
        let wide = make(&[&[1.0, 0.0]], vec![1.5]);
        assert!(matches!(wide, Err(SphereError::Target { index: 0, .. })));
        assert!(matches!(make(&[&[1.0]], vec![0.0]), Err(SphereError::Dimension(2))));
        assert!(matches!(make(&[], vec![]), Err(SphereError::Dimension(0))));
    }
}
