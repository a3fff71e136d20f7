//! A new idea in fifty lines: a network that recognises a wave from ten points in five inner steps.
//! The outer loop learns where those steps start and how far each of them moves each tensor.
use burn::backend::Flex;
use burn::nn::{Linear, LinearConfig};
use burn::optim::AdamConfig;
use burn::tensor::{Distribution::Uniform, Tensor, backend::Backend};
use inner_outer::*;

type Net<B> = [Linear<B>; 2];
type Wave<B> = [Tensor<B, 2>; 2];
type Mse<B> = Tensor<B, 1>;
family!(Nets => Net, Waves => Wave);

fn error<B: Backend>(net: &Net<B>, [x, y]: &Wave<B>, first: usize) -> Mse<B> {
    let hidden = net[0].forward(x.clone().narrow(0, first, 10)).tanh();
    (net[1].forward(hidden) - y.clone().narrow(0, first, 10)).square().mean()
}

struct Recognise;
impl Problem for Recognise {
    type Outer = Nets;
    type Inner = Nets;
    type Task = Waves;
    fn init<B: Backend>(&self, outer: &Net<B>, _: &Wave<B>) -> Net<B> {
        outer.clone()
    }
    fn inner_loss<B: Backend>(&self, net: &Net<B>, _: &Net<B>, wave: &Wave<B>, _: usize) -> Mse<B> {
        error(net, wave, 0)
    }
    fn outer_loss<B: Backend>(&self, net: &Net<B>, _: &Net<B>, wave: &Wave<B>) -> Mse<B> {
        error(net, wave, 10)
    }
}

fn main() -> Result<()> {
    let device = Default::default();
    let wave = |_| -> Wave<Flex> {
        let [x, phase] = [20, 1].map(|rows| Tensor::random([rows, 1], Uniform(-3.0, 3.0), &device));
        [x.clone(), (x + phase).sin()]
    };
    let net = [[1, 40], [40, 1]].map(|[x, y]| LinearConfig::new(x, y).init(&device));
    let inner_loop = InnerLoop { optimizer: Sgd, steps: 5 };
    let rates = inner_loop.rates(&Recognise, RateScope::default(), 0.03, &net, &wave(()))?;
    let (adam, rates_adam) = (AdamConfig::new().init(), AdamConfig::new().init());
    let (exact, config) = (Unrolled::<ForwardOverReverse>::default(), MetaLearnerConfig::default());
    let mut learner =
        MetaLearner::new(Recognise, inner_loop, exact, config, net, rates, adam, rates_adam)
            .observe(|step| println!("step {:3}: loss {:.4}", step.step, step.outer_loss));
    (0..1000).try_for_each(|_| learner.step(&[(); 16].map(wave)).map(drop))
}
