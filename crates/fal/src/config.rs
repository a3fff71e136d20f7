//! The configuration of an experiment: `configs/fal/defaults.toml` has every default, the other files but those of `fal theory`
//! what differs from them.

mod attack_choice;

use std::io;
use std::path::{self, PathBuf};

use serde::{Deserialize, Serialize};

pub use self::attack_choice::AttackChoice;
use crate::adversary::{AdversaryConfig, Start};
use crate::attack::{Norm, Square, ThreatModel};
use crate::client::ClientConfig;
use crate::data::{DataChoice, ImageSet, ImageShape, Split};
use crate::loss::LossChoice;
use crate::network::NetworkChoice;
use crate::partition::PartitionChoice;
use crate::server::{
    AggregatorChoice, Attackers, DriftControl, OptimizerChoice, Participation, ServerChoice,
    Weighting,
};
use crate::training_error::{TrainingError, require, require_few, require_radius, within};

/// Everything that makes a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExperimentConfig {
    /// Seed of every random choice.
    pub seed: u64,
    /// Rounds of communication, `T`.
    pub rounds: u64,
    /// Rounds between checkpoints, at least 1.
    pub checkpoint_every: u64,
    /// Which images.
    pub data: DataConfig,
    /// Who has them, and who takes part.
    pub clients: PopulationConfig,
    /// What is trained.
    pub network: NetworkChoice,
    /// What clients descend and their adversaries climb.
    pub loss: LossChoice,
    /// What adversaries of training may do.
    pub adversary: AdversaryConfig,
    /// How a client learns.
    pub client: ClientConfig,
    /// What becomes of the updates.
    pub server: ServerChoice,
    /// How the network is judged.
    pub evaluation: EvaluationConfig,
}

/// Which images.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DataConfig {
    /// The set.
    pub set: DataChoice,
    /// Folder with its files; where it is usually installed if not stated. A run keeps it as an absolute path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
    /// Number of classes of a `folder` or `derived` set whose labels may not reach the last one; as its labels say if not stated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classes: Option<usize>,
    /// Use only the first so many images to learn from, in the order of the files; 0 for all.
    pub train: usize,
}

/// Who has the images, and who takes part.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PopulationConfig {
    /// Number of clients, `N`, from 1 to a million.
    pub count: usize,
    /// How the images are divided among them.
    pub partition: PartitionChoice,
    /// Who takes part in a round.
    pub participation: Participation,
    /// Clients that lie.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attackers: Option<Attackers>,
}

/// How the network is judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EvaluationConfig {
    /// How the size of a perturbation is measured.
    pub norm: Norm,
    /// Radius of the attacks, from 0 to a million, in the unit of the pixels.
    pub radius: f64,
    /// Rounds between looks at the test images, at least 1.
    pub every: u64,
    /// Test images of such a look, at least 1; clean and with PGD-10.
    pub samples: usize,
    /// Test images of the last judgement; 0 for all.
    pub final_samples: usize,
    /// Attacks of the last judgement.
    pub attacks: Vec<AttackChoice>,
}

impl Default for ExperimentConfig {
    fn default() -> Self {
        Self {
            seed: 0,
            rounds: 30,
            checkpoint_every: 5,
            data: DataConfig::default(),
            clients: PopulationConfig::default(),
            network: NetworkChoice::default(),
            loss: LossChoice::default(),
            adversary: AdversaryConfig::default(),
            client: ClientConfig::default(),
            server: ServerChoice::default(),
            evaluation: EvaluationConfig::default(),
        }
    }
}

impl Default for PopulationConfig {
    /// Five clients with equal shares, all of which always take part and tell the truth.
    fn default() -> Self {
        Self {
            count: 5,
            partition: PartitionChoice::default(),
            participation: Participation::default(),
            attackers: None,
        }
    }
}

impl Default for EvaluationConfig {
    fn default() -> Self {
        Self {
            norm: Norm::Linf,
            radius: 0.1,
            every: 5,
            samples: 200,
            final_samples: 0,
            attacks: vec![AttackChoice::Fgsm, AttackChoice::pgd(20), AttackChoice::AutoAttack],
        }
    }
}

impl EvaluationConfig {
    /// What the attacks may do.
    pub fn threat(&self) -> ThreatModel {
        ThreatModel::new(self.norm, self.radius)
    }

    /// Whether the attacks, and the checks against hidden gradients, can be made on the images of `set`.
    ///
    /// # Errors
    /// As [`AttackChoice::check_classes`], and [`TrainingError::Excluded`] for images that are too small for the norm.
    pub fn check_images(&self, set: &ImageSet) -> Result<(), TrainingError> {
        self.check_size(set.shape())?;
        self.attacks.iter().try_for_each(|attack| attack.check_classes(set.classes()))
    }

    /// The checks run `square` whatever the attacks are.
    fn check_size(&self, shape: ImageShape) -> Result<(), TrainingError> {
        match shape.height.min(shape.width) < Square::smallest_side(self.norm) {
            true => Err(TrainingError::Excluded(
                "the checks of every judgement run `square`, which needs images of at least 3x3 pixels for evaluation.norm = \"l2\"; set evaluation.norm = \"linf\", or choose larger images",
            )),
            false => Ok(()),
        }
    }
}

impl DataConfig {
    /// The images from the files in `folder`: those of the configured set, or of any set if that one needs no files.
    pub fn in_folder(&mut self, folder: PathBuf) {
        if self.set == DataChoice::Digits {
            self.set = DataChoice::Folder;
        }
        self.folder = Some(folder);
    }

    /// Makes the folder absolute, also that of the working folder where none is named, so that a run that is resumed finds its images from any working directory.
    ///
    /// # Errors
    /// A path that is empty, or no working directory.
    pub fn anchor(&mut self) -> io::Result<()> {
        let Some(folder) = self.folder.take().or_else(|| self.set.place_below()) else {
            return Ok(());
        };
        let told = |cause: io::Error| {
            let message = match folder.as_os_str().is_empty() {
                true => "data.folder is empty; name the folder of the images, such as \".\" for the working folder, or leave it out".to_owned(),
                false => format!("data.folder cannot be found from the working folder ({cause}); name an absolute path"),
            };
            io::Error::new(cause.kind(), message)
        };
        self.folder = Some(path::absolute(&folder).map_err(told)?);
        Ok(())
    }

    /// Whether the settings make sense.
    ///
    /// # Errors
    /// [`TrainingError::OutOfRange`] and [`TrainingError::Excluded`].
    fn check(&self) -> Result<(), TrainingError> {
        if self.set == DataChoice::Digits && self.folder.is_some() {
            return Err(TrainingError::Excluded(
                "data.folder is for sets that are read from files, and data.set = \"digits\" is built in; set data.set, such as to \"folder\" or \"mnist\", or leave data.folder out",
            ));
        }
        let Some(classes) = self.classes else { return Ok(()) };
        if !matches!(self.set, DataChoice::Folder | DataChoice::Derived) {
            return Err(TrainingError::Excluded(
                "data.classes is for data.set = \"folder\" or \"derived\"; the other sets have the classes that they have",
            ));
        }
        // A label is a byte.
        require((2..=256).contains(&classes), "data.classes", classes as f64, "2 to 256")
    }

    /// Which classes of `split` have images to judge by and none to learn from, so that none of theirs can be recognised. None
    /// where there are no such classes.
    pub fn untrained(&self, split: &Split) -> Option<String> {
        let counts = split.train.class_counts().into_iter().zip(split.test.class_counts());
        let named = split.train.class_names().iter().zip(counts);
        let missing = named.filter(|(_, (train, test))| *train == 0 && *test > 0);
        let missing: Vec<&str> = missing.map(|(name, _)| name.as_str()).collect();
        if missing.is_empty() {
            return None;
        }
        let remedy = match self.train {
            0 => "add some to the files".to_owned(),
            train => format!(
                "`data.train` takes the first {train}; raise it, or mix the order of the files"
            ),
        };
        Some(format!("no image to learn from is of class {}: {remedy}", missing.join(", ")))
    }

    /// Reads the images.
    ///
    /// # Errors
    /// Those of [`DataChoice::load`].
    pub fn load(&self) -> Result<Split, TrainingError> {
        let mut split = self.set.load(self.folder.as_deref(), self.classes)?;
        if self.train > 0 {
            split.train = split.train.first(self.train)?;
        }
        Ok(split)
    }
}

impl ExperimentConfig {
    /// Whether the settings make sense.
    ///
    /// # Errors
    /// [`TrainingError::OutOfRange`] and [`TrainingError::Excluded`] with the first that does not.
    pub fn check(&self) -> Result<(), TrainingError> {
        let EvaluationConfig { every, samples, radius, .. } = self.evaluation;
        require(self.checkpoint_every > 0, "checkpoint_every", 0.0, "at least 1")?;
        require(every > 0, "evaluation.every", 0.0, "at least 1")?;
        require(samples > 0, "evaluation.samples", 0.0, "at least 1")?;
        require_radius("evaluation.radius", radius)?;
        self.data.check()?;
        require_few("clients.count", self.clients.count)?;
        let PopulationConfig { count, partition, participation, attackers } = &self.clients;
        within("clients.partition", partition.check(*count))?;
        within("clients.participation", participation.check())?;
        if let Some(attackers) = attackers {
            within("clients.attackers", attackers.check())?;
            within("clients.attackers", attackers.check_for(*count))?;
        }
        self.adversary.check()?;
        self.loss.check()?;
        self.check_start()?;
        self.client.check()?;
        within("server", self.server.check())?;
        self.evaluation.attacks.iter().try_for_each(AttackChoice::check)?;
        self.check_server()
    }

    /// What can begin, but will seldom do what it is to do: a server's rule that needs more updates than clients are expected to
    /// answer. None where there is nothing to say.
    pub fn shortfall(&self) -> Option<String> {
        let PopulationConfig { count, participation, .. } = &self.clients;
        let asked = participation.participants(*count);
        let expected = asked as f64 * (1.0 - participation.dropout);
        // A product such as 10 * 0.7 may fall short of its whole number.
        let answering = (expected + 1e-9) as usize;
        let refusal = self.server.aggregator.check_for(answering).err()?;
        let consequence = match refusal.passes_over() {
            true => "many rounds may be passed over",
            false => "in many rounds it may do no more than a mean",
        };
        Some(format!(
            "of {asked} clients that a round asks {expected:.1} are expected to answer, too few for `server.aggregator`, so that {consequence}: {refusal}; or lower `clients.participation.dropout`"
        ))
    }

    /// Where adversaries of training may go elsewhere than the attacks of the judgement, which may be
    /// meant. None where they are alike, or training has none.
    pub fn other_threat(&self) -> Option<String> {
        let Self { adversary, evaluation, .. } = self;
        let (trained, judged) =
            (ThreatModel::new(adversary.norm, adversary.radius), evaluation.threat());
        let is_alike = trained.norm == judged.norm && trained.epsilon == judged.epsilon;
        if adversary.is_idle() || is_alike {
            return None;
        }
        Some(format!(
            "adversaries of training stay within {trained}, attacks of the judgement within {judged}: `adversary.norm` and `adversary.radius` are not `evaluation.norm` and `evaluation.radius`"
        ))
    }

    /// Whether the adversary can leave the point where it starts.
    fn check_start(&self) -> Result<(), TrainingError> {
        let Self { loss, adversary, .. } = self;
        // The divergence from the clean prediction is smallest there, so its gradient is zero.
        let is_stuck =
            loss.climbs_divergence() && adversary.start == Start::Sample && !adversary.is_idle();
        match is_stuck {
            true => Err(TrainingError::Excluded(
                "the adversary of this loss climbs a divergence that is flat at the sample itself, and would never leave it; set adversary.start.kind = \"uniform\" or \"normal\", or another loss",
            )),
            false => Ok(()),
        }
    }

    /// Whether the server can do with the clients' updates what it is to do.
    fn check_server(&self) -> Result<(), TrainingError> {
        let server = &self.server;
        // Control variates are plain means over clients, which other aggregations and rates do not move by.
        let mean = AggregatorChoice::Mean { weighting: Weighting::Uniform };
        let is_plain = matches!(server.optimizer, OptimizerChoice::Rate { .. })
            && server.aggregator == mean
            && server.clip.is_none();
        if self.client.drift == DriftControl::Scaffold && !is_plain {
            return Err(TrainingError::Excluded(
                "SCAFFOLD moves the server by a mean in which clients count the same, and a rate; set server.aggregator = { kind = \"mean\", weighting = \"uniform\" } and server.optimizer.kind = \"rate\", leave server.clip out, or choose another client.drift",
            ));
        }
        let is_nova = server.aggregator == AggregatorChoice::Nova;
        if is_nova && matches!(self.client.drift, DriftControl::Proximal { .. }) {
            return Err(TrainingError::Excluded(
                "FedNova divides by numbers of steps, which say how far clients went only without a proximal term; set client.drift.kind = \"none\", or another server.aggregator",
            ));
        }
        if is_nova && self.client.momentum != 0.0 {
            return Err(TrainingError::Excluded(
                "FedNova divides by numbers of steps, which say how far clients went only without momentum; set client.momentum = 0, or another server.aggregator",
            ));
        }
        let participants = self.clients.participation.participants(self.clients.count);
        within("server.aggregator", server.aggregator.check_for(participants))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// Every published configuration is one that can be run.
    #[test]
    fn published_configurations_are_understood() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs/fal");
        let mut found = 0;
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.file_stem().unwrap().to_string_lossy().starts_with("theory") {
                continue;
            }
            let config: ExperimentConfig =
                experiment::config::load(&ExperimentConfig::default(), Some(&path), &[]).unwrap();
            config.check().unwrap_or_else(|refusal| panic!("{}: {refusal}", path.display()));
            found += 1;
        }
        assert!(found >= 9, "only {found} configurations");
    }

    #[test]
    fn the_file_of_defaults_has_every_field_and_no_other_value() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs/fal/defaults.toml");
        let written: toml::Table = fs::read_to_string(path).unwrap().parse().unwrap();
        assert_eq!(written, toml::Table::try_from(ExperimentConfig::default()).unwrap());
    }

    #[test]
    fn what_cannot_work_is_refused_before_the_first_round() {
        let refused = |set: &str| {
            let set = [set.to_owned()];
            let config: ExperimentConfig =
                experiment::config::load(&ExperimentConfig::default(), None, &set).unwrap();
            config.check().unwrap_err().to_string()
        };
        let partition = r#"clients.partition={kind="dirichlet",alpha=0.1,minimum=0}"#;
        assert!(refused(partition).contains("without samples"));
        assert!(refused(r#"server.aggregator={kind="nova"}"#).contains("client.momentum = 0"));
        assert!(refused(r#"server.aggregator={kind="krum",byzantine=9}"#).contains("krum"));
        assert!(refused(r#"data.folder="nowhere""#).contains("built in"));
        assert!(refused("data.classes=10").contains("data.set = \"folder\""));
        assert!(refused(r#"evaluation.attacks=[{kind="pgd",steps=0}]"#).contains("attacks.steps"));
        let mut scaffold = ExperimentConfig::default();
        scaffold.client.drift = DriftControl::Scaffold;
        scaffold.client.momentum = 0.0;
        let by_samples = scaffold.check().unwrap_err().to_string();
        assert!(by_samples.contains("weighting = \"uniform\""), "{by_samples}");
        scaffold.server = ServerChoice::paper(1.0);
        scaffold.check().unwrap();
        scaffold.server.clip = Some(1.0);
        assert!(scaffold.check().unwrap_err().to_string().contains("server.clip"));
        let mut nova = ExperimentConfig::default();
        nova.server.aggregator = AggregatorChoice::Nova;
        nova.client.momentum = 0.0;
        nova.check().unwrap();
        nova.client.drift = DriftControl::Proximal { mu: 0.1 };
        assert!(nova.check().unwrap_err().to_string().contains("client.drift.kind = \"none\""));
        let check = |attack: AttackChoice, classes| attack.check_classes(classes);
        check(AttackChoice::AutoAttack, 4).unwrap();
        assert!(check(AttackChoice::AutoAttack, 3).is_err());
        check(AttackChoice::Fgsm, 2).unwrap();
        let apgd = |kind: &str| {
            serde_json::from_str::<AttackChoice>(&format!(r#"{{"kind":"{kind}"}}"#)).unwrap()
        };
        assert!(check(apgd("apgd-t"), 3).is_err());
        assert!(check(apgd("apgd-dlr"), 2).is_err());
        check(apgd("apgd-dlr"), 3).unwrap();
        check(apgd("fab-t"), 2).unwrap();
        for wrong in [
            r#"{kind="apgd-ce",steps=0}"#,
            r#"{kind="apgd-dlr",restarts=0}"#,
            r#"{kind="apgd-t",targets=0}"#,
            r#"{kind="fab-t",targets=0}"#,
            r#"{kind="pgd",steps=2,relative_step=0.0}"#,
            r#"{kind="pgd",steps=2,restarts=2,random_start=false}"#,
        ] {
            refused(&format!("evaluation.attacks=[{wrong}]"));
        }
    }

    #[test]
    fn a_rule_that_needs_more_updates_than_are_expected_is_told() {
        let shortfall = |count, dropout, aggregator| {
            let mut config = ExperimentConfig::default();
            config.clients.count = count;
            config.clients.participation.dropout = dropout;
            config.server.aggregator = aggregator;
            config.check().unwrap();
            config.shortfall()
        };
        let krum = AggregatorChoice::Krum { byzantine: 2 };
        assert_eq!(shortfall(7, 0.0, krum), None);
        assert_eq!(shortfall(10, 0.3, krum), None, "7 of 10");
        let told = shortfall(10, 0.4, krum).unwrap();
        for words in ["of 10 clients", "6.0 are expected", "needs at least 7 updates", "dropout"] {
            assert!(told.contains(words), "{told}");
        }
        let trimmed = AggregatorChoice::TrimmedMean { share: 0.2 };
        assert!(shortfall(5, 0.1, trimmed).unwrap().contains("nothing would be trimmed"));
        assert!(shortfall(5, 0.9, AggregatorChoice::Median).is_some(), "half a client");
        assert_eq!(shortfall(5, 0.5, AggregatorChoice::Median), None);
        let slack = shortfall(5, 0.3, AggregatorChoice::Slack { alpha: 0.1, top: 4 }).unwrap();
        assert!(slack.contains("no more than a mean") && !slack.contains("passed over"), "{slack}");
    }

    #[test]
    fn another_threat_than_that_of_training_is_told() {
        let mut config = ExperimentConfig::default();
        assert_eq!(config.other_threat(), None);
        config.evaluation.radius = 0.2;
        let told = config.other_threat().unwrap();
        for words in ["within Linf 0.1,", "within Linf 0.2:", "`adversary.radius`"] {
            assert!(told.contains(words), "{told}");
        }
        config.adversary.steps = 0;
        assert_eq!(config.other_threat(), None, "plain training has no adversary");
        config = ExperimentConfig::default();
        config.evaluation.norm = Norm::L2;
        assert!(config.other_threat().unwrap().contains("L2"));
    }

    #[test]
    fn classes_that_nothing_is_learned_of_are_told() {
        let set = |labels: Vec<u8>| {
            let shape = ImageShape { channels: 1, height: 1, width: 1 };
            let names = ["cat", "dog", "eel"].map(String::from).to_vec();
            ImageSet::new("animals", shape, vec![0.5; labels.len()], labels, names).unwrap()
        };
        let split = |train, test| Split { train: set(train), test: set(test) };
        let all = DataConfig::default();
        assert_eq!(all.untrained(&split(vec![0, 1, 2], vec![0, 1, 2])), None);
        assert_eq!(all.untrained(&split(vec![0, 1], vec![0, 1])), None, "nor judged by");
        let sorted = split(vec![0, 0], vec![0, 1, 2]);
        assert!(all.untrained(&sorted).unwrap().contains("class dog, eel: add some"));
        let first = DataConfig { train: 2, ..all };
        assert!(first.untrained(&sorted).unwrap().contains("takes the first 2; raise it"));
    }

    #[test]
    fn images_that_are_too_small_for_the_checks_are_refused_whatever_the_attacks_are() {
        let images = |height| {
            let shape = ImageShape { channels: 1, height, width: 8 };
            let names = ["0", "1"].map(String::from).to_vec();
            ImageSet::new("strips", shape, vec![0.5; 2 * 8 * height], vec![0, 1], names).unwrap()
        };
        for attacks in
            [vec![], vec![AttackChoice::pgd(5)], vec![AttackChoice::Square { queries: 5 }]]
        {
            for (norm, height, usable) in
                [(Norm::L2, 2, false), (Norm::L2, 3, true), (Norm::Linf, 2, true)]
            {
                let evaluation =
                    EvaluationConfig { norm, attacks: attacks.clone(), ..Default::default() };
                let checked = evaluation.check_images(&images(height));
                assert_eq!(checked.is_ok(), usable, "{norm:?} {height} {attacks:?}");
            }
        }
    }

    #[test]
    fn an_empty_folder_is_named_with_its_remedy() {
        let mut data = DataConfig { folder: Some("".into()), ..DataConfig::default() };
        let refusal = data.anchor().unwrap_err().to_string();
        assert!(refusal.contains("data.folder is empty; name the folder"), "{refusal}");
        data.folder = Some("images".into());
        data.anchor().unwrap();
        assert!(data.folder.unwrap().is_absolute());
    }

    #[test]
    fn a_divergence_is_not_climbed_from_the_sample_itself() {
        for loss in [LossChoice::Trades { beta: 6.0 }, LossChoice::calfat()] {
            let mut config = ExperimentConfig { loss, ..ExperimentConfig::default() };
            config.check().unwrap();
            config.adversary.start = Start::Sample;
            assert!(config.check().unwrap_err().to_string().contains("adversary.start.kind"));
            config.adversary.steps = 0;
            config.check().unwrap();
        }
        let mut config = ExperimentConfig::default();
        config.adversary.start = Start::Sample;
        config.check().unwrap();
    }

    #[test]
    fn settings_without_effect_are_refused() {
        let slack = |alpha, top| {
            let mut config = ExperimentConfig::default();
            config.server.aggregator = AggregatorChoice::Slack { alpha, top };
            config.check()
        };
        slack(0.1, 4).unwrap();
        assert!(slack(0.0, 1).unwrap_err().to_string().contains("`alpha`"));
        assert!(slack(0.1, 5).unwrap_err().to_string().contains("`top`"));
        let attacked = |share| {
            let mut config = ExperimentConfig::default();
            let behaviour = crate::server::AttackerChoice::LabelFlip;
            config.clients.attackers = Some(Attackers { share, behaviour });
            config.check()
        };
        attacked(0.0).unwrap();
        attacked(0.1).unwrap();
        assert!(attacked(0.09).unwrap_err().to_string().contains("`share`"));
    }

    #[test]
    fn balls_beyond_single_precision_are_refused() {
        for set in [
            "evaluation.radius=1e39",
            "adversary.radius=1e39",
            "adversary.step=1e39",
            r#"evaluation.attacks=[{kind="pgd",steps=1,relative_step=1e39}]"#,
        ] {
            let set = [set.to_owned()];
            let config: ExperimentConfig =
                experiment::config::load(&ExperimentConfig::default(), None, &set).unwrap();
            let refusal = config.check().unwrap_err().to_string();
            assert!(refusal.contains("at most a million"), "{refusal}");
        }
    }

    /// What would end neither in a year nor in memory.
    #[test]
    fn absurd_numbers_are_refused() {
        let most = i64::MAX;
        for (setting, set) in [
            ("adversary.steps", format!("adversary.steps={most}")),
            ("client.work.count", format!(r#"client.work={{kind="steps",count={most}}}"#)),
            ("client.work.count", format!(r#"client.work={{kind="epochs",count={most}}}"#)),
            ("clients.count", format!("clients.count={most}")),
            ("attacks.steps", format!(r#"evaluation.attacks=[{{kind="apgd-ce",steps={most}}}]"#)),
            (
                "attacks.restarts",
                format!(r#"evaluation.attacks=[{{kind="pgd",steps=1,restarts={most}}}]"#),
            ),
            (
                "attacks.queries",
                format!(r#"evaluation.attacks=[{{kind="square",queries={most}}}]"#),
            ),
        ] {
            let config: ExperimentConfig =
                experiment::config::load(&ExperimentConfig::default(), None, &[set]).unwrap();
            let refusal = config.check().unwrap_err().to_string();
            assert!(refusal.contains(setting) && refusal.contains("a million"), "{refusal}");
        }
    }

    #[test]
    fn a_configuration_survives_its_own_text() {
        let mut config = ExperimentConfig::default();
        config.clients.attackers =
            Some(Attackers { share: 0.2, behaviour: crate::server::AttackerChoice::LabelFlip });
        config.data.folder = Some("images".into());
        config.server.clip = Some(2.0);
        let text = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<ExperimentConfig>(&text).unwrap(), config);
    }
}
