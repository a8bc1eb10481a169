"""Small neural networks that look at first and last moves and at how often both cooperated, evolved against a library.

Each has 17 features, one layer of rectified units and an output that says C where it is positive.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from jaxcoord.games.repeated.library import ANY, strategy
from jaxcoord.games.repeated.machine import Machine, machine
from jaxcoord.games.repeated.strategies.lookup import numbers

FEATURES = 17


def network(weights: list[float]) -> Machine:
    """Cooperates where a network's output is positive.

    Features, each a number: C and D of the other's first and of its second move, of one's own last move and the one
    before, of the other's last and the one before; the other's C and D so far, one's own C and D; rounds played.

    Args: `weights`, of U units: 17 for each of them, the U of the output, and the U that the units begin with.
    """
    units = len(weights) // (FEATURES + 2)
    into, out, bias = np.split(np.array(weights, np.float32), [FEATURES * units, (FEATURES + 1) * units])
    into = into.reshape(units, FEATURES)

    # Registers: rounds played; features of moves, and how often the other and oneself cooperated.
    def cooperate(registers):
        turn, moves, theirs, mine = registers
        features = [*moves, theirs, turn - theirs, mine, turn - mine, turn]
        # Summed term by term, in one order: jaxlib 0.10.2 errs on a CPU in sums of products with over 2**15 results.
        value = sum((weight * feature for weight, feature in zip(into.T, features, strict=True)), jnp.asarray(bias))
        # In the program that evolved them the type of the first unit's result was that of all: where it is cut off, to
        # a whole 0, the others lose their fractions.
        units = jnp.maximum(value, 0)
        units = jnp.where(value[0] < 0, jnp.trunc(units), units)
        return sum(weight * unit for weight, unit in zip(out, units, strict=True)) > 0

    def update(registers, own, other):
        turn, moves, theirs, mine = registers
        first, second, late, heard = moves[:2], moves[2:4], moves[4:6], moves[8:10]
        own_move, move = jnp.stack([own, ~own]), jnp.stack([other, ~other])
        first, second = jnp.where(turn == 0, move, first), jnp.where(turn == 1, move, second)
        return turn + 1, jnp.concatenate([first, second, own_move, late, move, heard]), theirs + other, mine + own

    return machine((0, np.zeros(12, int), 0, 0), cooperate, update, stochastic=False)


TEN = """
    3.4598994 2.1318404 13.179666 -6.192108 -0.37086707 -0.38966268 -0.38660993 -0.59457683 8.6572763 -0.31582966
    -12.772635 -3.7221903 0.77003151 -33.026063 -0.67664196 -0.93190708 -12.214458 -0.70059497 -0.92487047 -0.30575484
    -0.68823224 0.49246368 0.41621765 2.2349378 -4.8285611 -1.9512825 15.234657 13.201168 2.1286731 2.9241128
    -0.75471677 1.1993146 0.067600267 0.78329394 -177.49932 6.8950066 -0.082846451 -0.7997247 -8.2076881 17.450767
    -19.545705 23.57059 7.4434627 -4.2621267 51.789934 -0.95953031 -0.015387143 -1.6996871 0.53265564 -0.86906589
    -0.74787148 -0.19906634 0.73763033 19.692218 -2.9207457 -0.28772529 -5.351299 1.1722532 1.3902789 0.38849134
    -5.7298226 -4.6418229 0.56917457 0.30905426 -8.8598045 -4.7328374 0.88311936 -0.95209158 -0.53554734 -22.037852
    -0.95967566 0.15632021 -24.710657 21.001957 -6.0997312 -0.94267669 -0.71946086 3.4908552 0.13713671 -0.99606424
    -0.23395002 0.79746819 1.1178546 0.030908537 0.3709258 -0.77059067 0.31065633 -0.0061118825 0.017785953 0.56779554
    -0.043003575 -0.83785121 0.45176749 0.026356153 8.5597467 60.103652 -11.066046 1.9547952 -1.257277 -3.1565359
    -0.39428166 -7.9763044 -12.979182 -0.89034761 -0.0440469 -2290.613 3.1361102 -4.7441659 1.5590914 23.589553
    3.6965036 -49.019373 -0.31155127 -12.893291 3.3556219 -1124.6169 -8.6119058 -5.4954865 9.3170029 -0.92810203
    0.98626712 71.636016 -41.787279 -0.089386302 -25.475912 -1.629657 3.7215063 1.2616296 -2.1667401 1.0608793
    -1.5348733 0.6488189 -9.5546246 0.99824517 -3.5855181 2.3410372 -1.0593638 -36.033826 49.400216 -0.095601085
    22.265327 -1167.4126 -827.34123 -0.28179627 -12.585799 -0.49688224 81.10836 0.72308636 -3.7241903 -0.97577567
    -68.02894 -2.2396568 0.070661102 -1.2509206 -0.046887193 -0.76806398 17.937616 -1.1019678 0.074110147 2.0561446
    -0.91668331 -27.361514 -2.3877637 2.2300577 447.43886 0.45131007 10.588474 1.9849158 -1574.2104 -0.73715998
    0.90862642 -0.78283075 0.3300464 1.8124296 -3.6102677 -0.97365196 0.12092992 2.9843573 -0.11277293 -0.74398956
    -3.8649915 0.97820809 -5.0534637 3.5891165 -3.7958701 -2.8572114 -0.41818947 1.4695517 -0.026854016 -0.027889096
"""
FIVE = """
    -28.102635 -5.2702211 -1.7991915 -19.860574 -24.605132 3.8162913 0.02347377 -54.503215 10.003539 -2.3346148
    16.738442 0.31008102 -169.33492 -5.7242303 0.85262014 -0.22605058 -17.835642 -0.70436798 -10.486007 -3.0550187
    -0.68105319 -4453.7969 33810.531 -10848.787 -118.11626 93.188797 -16083.651 -13.725703 50.104946 -7.6042078
    90.773733 1.5950749 2.7557812 -39715.109 28.904912 -0.43899424 5.7680805 5.2951251 -2.546634 -238767.21 -3.5528157
    -4.9527347 1115.2696 4.1746685 -14.649496 -23.253214 0.55002362 -20.7318 0.56945941 9.1263359 3.5668018 1337.5578
    7235.4782 73866.164 -857.44305 -924.95918 -3518.9679 -1.9067958 -6.6334541 -14.521354 -2885.6121 22500.261
    -2.1510577 -1132.4844 -320738.94 95.169253 -5656.2165 -45086.653 -27.563351 -2.6138759 371.56363 -303.40841
    6.9836096 -47.03033 -32.80115 106.59936 -1488.6548 -76.761279 228.98569 3.1681705 7.8475477 -17.600409 -10.176187
    -2.8861365 -6.1129117 -335.90149 52.341584 1272.968 22.88175 533.18374 -0.67623168 4.4063524 4.139696 124.12128
    -128.06734
"""
FIVE_NOISE = """
    23.884262 -1818.8118 -99.988759 -0.039616104 -6.2100543 3.7052379 -0.23417388 -181.13859 12.133177 -0.49669502
    -1.0749426 10.748649 -0.28966679 -16.227123 -1.7178383 0.032214171 -158.16662 -14.6367 15.408583 5.8449296
    4.5667356 3.2997531 -1.9670039 11.749829 13.681066 6.221556 -6.5770904 -5.2802392 -3.7084523 0.99468647 -4.9690836
    0.37099842 -4.6636325 0.57394444 -97.245268 -18.898938 2.8369625 1426.6966 -61.660717 -96.985337 -35.811382
    21.747048 -43208.504 -30.912618 556.82389 -1.2029711 86.954939 -10502.293 -2.0466531 22.168924 -155.02893
    -28.409091 -3.3917473 -13.869671 13.919972 10.27622 0.86872193 5.2749159 -103.56226 -11.475238 8.1005769
    -0.53531673 -9.1087558 0.81559381 -7.2629151 -0.74032897 -1.7023774 1.0574027 -2732.0242 -5.4350673 -188.24944
    0.37886586 -67.012352 -121.12068 -83.847824 45.310051 11.069886 -169.35774 31.675914 -311.20067 49.093586
    -5.8197834 -88.52645 -284.23585 0.69894826 156.74811 1.8064093 3.4228476 -125.93039 -25.169489 115.98479 21.278586
    0.27440062 2.899956 -53.985069
"""


@strategy("EvolvedANN", memory=ANY, source="Jones; Harper et al. 2017")
def evolved_network() -> Machine:
    """A network of ten units."""
    return network(numbers(TEN))


@strategy("EvolvedANN5", memory=ANY, source="Harper et al. 2017")
def evolved_network_of_five() -> Machine:
    """A network of five units."""
    return network(numbers(FIVE))


@strategy("EvolvedANNNoise05", memory=ANY, source="Harper et al. 2017")
def evolved_network_with_noise() -> Machine:
    """A network of five units that was evolved where one move in twenty goes wrong."""
    return network(numbers(FIVE_NOISE))
