"""Options of every policy family. Known without PyTorch, whose import takes seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

from robot_learning.core.options.numbers import AtLeast1, NotNegative, Positive, ShareBelow1
from robot_learning.policies.config import Activation, Layers, PolicyConfig, check_heads
from robot_learning.policies.errors import PolicyError
from robot_learning.policies.statistics import NormalizationMode


@dataclass(frozen=True, kw_only=True)
class DeterministicConfig(PolicyConfig):
    """A perceptron on all features of the history.

    Attributes:
        hidden: widths of the hidden layers.
        dropout: share of hidden units left out in training.
        layer_norm: whether a layer norm follows each hidden layer.
        activation: function after each hidden layer.
        error: loss of normalised actions: `l1` or `l2`; it has no effect on discrete ones.
    """

    hidden: tuple[AtLeast1, ...] = (512, 512)
    dropout: ShareBelow1 = 0.0
    layer_norm: bool = False
    activation: Activation = "relu"
    error: Literal["l1", "l2"] = "l1"


@dataclass(frozen=True, kw_only=True)
class GaussianConfig(PolicyConfig):
    """A perceptron that gives mean and deviation.

    Attributes:
        hidden: widths of the hidden layers.
        dropout: share of hidden units left out in training.
        layer_norm: whether a layer norm follows each hidden layer.
        activation: function after each hidden layer.
        smallest_std: smallest standard deviation of normalised actions; it keeps the likelihood
            bounded.
        answer: what a policy answers at inference: the `mean`, or a `sample`.
    """

    hidden: tuple[AtLeast1, ...] = (512, 512)
    dropout: ShareBelow1 = 0.0
    layer_norm: bool = False
    activation: Activation = "relu"
    smallest_std: NotNegative = 0.01
    answer: Literal["mean", "sample"] = "mean"


@dataclass(frozen=True, kw_only=True)
class MixtureConfig(PolicyConfig):
    """What mixtures with and without recurrence have in common.

    Attributes:
        components: number K of components of the mixture.
        smallest_std: smallest standard deviation of normalised actions; it keeps the likelihood
            bounded.
        tanh_mean: whether to keep means within (-1, 1), as robomimic does.
        answer: what a policy answers at inference: `component_mean`, the mean of a drawn component
            (robomimic's low-noise evaluation), or a `sample` from it.
    """

    components: AtLeast1 = 5
    smallest_std: NotNegative = 0.01
    tanh_mean: bool = False
    answer: Literal["component_mean", "sample"] = "component_mean"


@dataclass(frozen=True, kw_only=True)
class GmmConfig(MixtureConfig):
    """A perceptron that gives a mixture.

    Attributes:
        hidden: widths of the hidden layers.
        dropout: share of hidden units left out in training.
        layer_norm: whether a layer norm follows each hidden layer.
    """

    hidden: tuple[AtLeast1, ...] = (512, 512)
    dropout: ShareBelow1 = 0.0
    layer_norm: bool = False


@dataclass(frozen=True, kw_only=True)
class RnnGmmConfig(MixtureConfig):
    """An LSTM and a linear layer that gives the mixtures.

    Attributes:
        hidden: size of the LSTM's state.
        layers: layers of the LSTM.
    """

    hidden: AtLeast1 = 128
    layers: Layers = 2


@dataclass(frozen=True, kw_only=True)
class ActConfig(PolicyConfig):
    """Sizes of the transformers.

    Attributes:
        width: numbers in a token.
        heads: attention heads.
        hidden: width of the feed-forward layers.
        encoder_layers: transformer layers over the observation tokens.
        decoder_layers: transformer layers over the action queries.
        latent_encoder_layers: transformer layers of the encoder that only training uses.
        latent: numbers in the latent variable z.
        kl_weight: weight β of the KL divergence in the loss.
        dropout: share of units left out in training.
    """

    width: AtLeast1 = 128
    heads: AtLeast1 = 4
    hidden: AtLeast1 = 512
    encoder_layers: Layers = 2
    decoder_layers: Layers = 1
    latent_encoder_layers: Layers = 2
    latent: AtLeast1 = 32
    kl_weight: NotNegative = 10.0
    dropout: ShareBelow1 = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_heads(self.width, self.heads)


@dataclass(frozen=True, kw_only=True)
class AutoregressiveConfig(PolicyConfig):
    """A causal transformer over bins.

    Attributes:
        bins: equal parts of the normalised range [-1, 1]; what lies beyond goes into the
            outermost. Discrete actions have their own number instead.
        label_width_bins: standard deviation of the Gaussian that smooths a label, in bins; wide
            ones overfit small datasets less, and merge modes less than three widths apart. With 0 a
            label is one bin alone, and an answer its middle. Discrete actions are never smoothed.
        hidden: widths of the perceptron between the observation and the tokens; none for a
            linear map.
        width: numbers in a token.
        layers: layers of the transformer.
        heads: attention heads.
        dropout: share of units left out in training.
        temperature: logits are divided by it when sampling; below 1 is more decided.
        smallest_share: share of the likeliest bin's probability below which a bin is not drawn, so
            that no rare one leads the rest of the chunk astray, and modes keep their balance (min-p
            sampling, Nguyen et al. 2024, https://arxiv.org/abs/2407.01082). 0 draws all.
        train_on_padding: whether to learn to hold behind an episode's end as well, on which the
            steps generated after it depend; otherwise steps without a label are left out of the
            loss, and enter as a hold.
    """

    bins: Annotated[int, Meta(ge=2)] = 256
    label_width_bins: NotNegative = 0.0
    hidden: tuple[AtLeast1, ...] = ()
    width: AtLeast1 = 128
    layers: Layers = 2
    heads: AtLeast1 = 4
    dropout: ShareBelow1 = 0.0
    temperature: Positive = 1.0
    smallest_share: Annotated[float, Meta(ge=0, le=1)] = 0.0
    train_on_padding: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_heads(self.width, self.heads)


@dataclass(frozen=True, kw_only=True)
class DenoisingConfig(PolicyConfig):
    """The network, which is a U-Net or a transformer.

    Attributes:
        backbone: network that removes the noise: `unet` or `transformer`.
        channels: channels of the U-Net's levels.
        kernel: size of the U-Net's convolutions.
        groups: groups of the U-Net's group norm.
        time_features: size of the U-Net's embedding of time.
        width: numbers in a token of the transformer.
        layers: layers of the transformer.
        heads: attention heads of the transformer.
        dropout: share of the transformer's units left out in training.
        inference_steps: evaluations of the network for one chunk.
        train_on_padding: whether to learn the repeated edge actions behind an episode's end as
            well, as Chi et al. do; otherwise they are left out of the loss.
    """

    observation_normalization: NormalizationMode = "limits"
    backbone: Literal["unet", "transformer"] = "unet"
    channels: tuple[AtLeast1, ...] = (64, 128)
    kernel: AtLeast1 = 5
    groups: AtLeast1 = 8
    time_features: AtLeast1 = 64
    width: AtLeast1 = 128
    layers: Layers = 4
    heads: AtLeast1 = 4
    dropout: ShareBelow1 = 0.1
    inference_steps: AtLeast1 = 10
    train_on_padding: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_heads(self.width, self.heads)
        if not self.channels or any(size % self.groups for size in self.channels):
            raise PolicyError(f"channels {self.channels} are multiples of groups ({self.groups})")
        if self.kernel % 2 == 0 or self.time_features % 2:
            raise PolicyError("the kernel is odd, and time_features are even")


@dataclass(frozen=True, kw_only=True)
class DiffusionConfig(DenoisingConfig):
    """The process.

    Attributes:
        train_steps: steps K of the noise schedule.
        prediction: output of the network: the noise ε, or the clean chunk (`sample`).
        sampler: sampler of inference: `ddim` in `inference_steps` steps, or `ddpm` in all training
            steps.
        clip: bound within ± of which predicted clean chunks are kept, in normalised units; with the
            normalisation `limits` 1 is all that was ever demonstrated. 0 does not clip.
    """

    train_steps: AtLeast1 = 100
    prediction: Literal["noise", "sample"] = "noise"
    sampler: Literal["ddim", "ddpm"] = "ddim"
    clip: NotNegative = 1.0


@dataclass(frozen=True, kw_only=True)
class FlowConfig(DenoisingConfig):
    """A few steps suffice, the paths being nearly straight."""

    inference_steps: AtLeast1 = 6
