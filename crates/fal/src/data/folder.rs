//! Four idx files in a folder.

use std::path::{Path, PathBuf};

use experiment::fingerprint::sha256;

use super::idx::{self, Idx};
use super::known::{self, KnownSet, Part};
use super::{DataError, ImageSet, ImageShape, Split};

/// Divides what a byte says into pixels from 0 to 1.
pub(super) const BYTE: f32 = 255.0;

/// One file of a set.
struct Member {
    file: String,
    part: Part,
    array: Idx,
    /// The set it was recognised as.
    set: Option<&'static KnownSet>,
}

/// What the files should be.
#[derive(Clone, Copy)]
pub(super) enum Expected {
    /// Those of this set.
    Known(&'static KnownSet),
    /// Of a known set all or none.
    Any,
    /// Of a known set some, or none.
    Derived,
}

/// Whether any of the four files is in `folder`.
pub(super) fn has_idx_files(folder: &Path) -> bool {
    Part::ALL.into_iter().any(|part| find(folder, part).is_some())
}

/// Reads the set in `folder`. Sets that are `known` are recognised.
///
/// # Errors
/// All but the first of [`DataError`]: for files that are missing, damaged, exchanged or of different sets.
pub(super) fn load(
    folder: &Path,
    expected: Expected,
    known: &[&'static KnownSet],
    classes: Option<usize>,
) -> Result<Split, DataError> {
    let read = |part| member(folder, part, expected, known);
    let [train_images, train_labels, test_images, test_labels] = Part::ALL.map(read);
    let members = [train_images?, train_labels?, test_images?, test_labels?];
    let set = common_set(&members, expected)?;
    let name = match set {
        Some(set) => set.name.to_owned(),
        // The slash tells a folder that is called like a set from the set.
        None => folder.join("").display().to_string(),
    };
    let known_names = set.map_or(&[][..], |set| set.class_names);
    let largest = members[1].array.values.iter().max().copied().unwrap_or(0);
    let at_least =
        if known_names.is_empty() { usize::from(largest) + 1 } else { known_names.len() };
    let class_names: Vec<String> = (0..classes.unwrap_or(at_least))
        .map(|class| known_names.get(class).map_or_else(|| class.to_string(), ToString::to_string))
        .collect();
    let [train_images, train_labels, test_images, test_labels] = members;
    let train = assemble(&name, train_images, train_labels, &class_names)?;
    let test = assemble(&name, test_images, test_labels, &class_names)?;
    if train.shape() != test.shape() {
        return Err(DataError::Shapes { train: train.shape(), test: test.shape() });
    }
    Ok(Split { train, test })
}

/// The file of `part`, with a hyphen or a dot in its name, plain or compressed.
fn find(folder: &Path, part: Part) -> Option<PathBuf> {
    let names = ['-', '.'].map(|separator| part.file_name(separator));
    let names = names.into_iter().flat_map(|name| [format!("{name}.gz"), name]);
    names.map(|name| folder.join(name)).find(|path| path.is_file())
}

fn member(
    folder: &Path,
    part: Part,
    expected: Expected,
    known: &[&'static KnownSet],
) -> Result<Member, DataError> {
    let missing =
        || DataError::MissingFile { folder: folder.to_owned(), expected: part.file_name('-') };
    let path = find(folder, part).ok_or_else(missing)?;
    let file = path.display().to_string();
    let bytes = idx::read(&path)?;
    let checksum = sha256(&bytes);
    let recognised = known::recognise(known, &checksum);
    let exchanged = |found: String| DataError::Exchanged {
        file: file.clone(),
        expected: part.to_string(),
        found,
    };
    if let Some((set, found)) = recognised.filter(|(_, found)| *found != part) {
        return Err(exchanged(format!("{found} of {}", set.name)));
    }
    // The structure is looked at before the checksum, because it says more about what happened to the file.
    let array = idx::parse(bytes, &file)?;
    if array.dimensions.len() != part.rank() {
        return Err(match array.dimensions.len() {
            1 => exchanged("labels".into()),
            3 => exchanged("images".into()),
            rank => DataError::NotIdx { file, found: format!("it has {rank} dimensions") },
        });
    }
    let set = recognised.map(|(set, _)| set);
    match (set, expected) {
        (Some(found), Expected::Known(expected)) if found.name != expected.name => {
            Err(DataError::Exchanged {
                file,
                expected: format!("{part} of {}", expected.name),
                found: format!("{part} of {}", found.name),
            })
        }
        (None, Expected::Known(expected)) => Err(DataError::Checksum {
            file,
            set: expected.name.to_owned(),
            expected: expected.checksum(part).to_owned(),
            found: checksum,
        }),
        _ => Ok(Member { file, part, array, set }),
    }
}

/// The known set that all files are of, if they are of one.
///
/// # Errors
/// [`DataError::Mixed`] for files of two known sets, and [`DataError::Altered`] for a file that is of none beside others that
/// are of one, unless the set was derived.
fn common_set(
    members: &[Member; 4],
    expected: Expected,
) -> Result<Option<&'static KnownSet>, DataError> {
    let mut recognised = members.iter().filter_map(|member| Some((member, member.set?)));
    let Some((first, set)) = recognised.next() else { return Ok(None) };
    for (member, other) in recognised {
        if other.name != set.name {
            return Err(DataError::Mixed {
                first: first.file.clone(),
                first_set: set.name.to_owned(),
                second: member.file.clone(),
                second_set: other.name.to_owned(),
            });
        }
    }
    match members.iter().find(|member| member.set.is_none()) {
        None => Ok(Some(set)),
        Some(_) if matches!(expected, Expected::Derived) => Ok(None),
        Some(altered) => Err(DataError::Altered {
            file: altered.file.clone(),
            beside: first.file.clone(),
            set: set.name.to_owned(),
        }),
    }
}

fn assemble(
    name: &str,
    images: Member,
    labels: Member,
    class_names: &[String],
) -> Result<ImageSet, DataError> {
    let set = format!("{} ({})", labels.file, labels.part);
    let image_set = from_idx(name, &set, images.array, labels.array, class_names, BYTE)?;
    Ok(image_set)
}

/// A set from an array of images and one of labels, whose pixels go up to `largest`. Errors are of `file`.
pub(super) fn from_idx(
    name: &str,
    file: &str,
    images: Idx,
    labels: Idx,
    class_names: &[String],
    largest: f32,
) -> Result<ImageSet, DataError> {
    let &[count, height, width] = images.dimensions.as_slice() else {
        let found = format!("it has {} dimensions", images.dimensions.len());
        return Err(DataError::NotIdx { file: file.to_owned(), found });
    };
    if count != labels.values.len() {
        let (images, labels) = (count, labels.values.len());
        return Err(DataError::Counts { set: file.to_owned(), images, labels });
    }
    let classes = class_names.len();
    if let Some(index) = labels.values.iter().position(|label| usize::from(*label) >= classes) {
        let label = labels.values[index];
        return Err(DataError::Label { set: file.to_owned(), index, label, classes });
    }
    let pixels = images.values.iter().map(|value| f32::from(*value) / largest).collect();
    let shape = ImageShape { channels: 1, height, width };
    ImageSet::new(name, shape, pixels, labels.values, class_names.to_vec())
}

#[cfg(test)]
mod tests;
