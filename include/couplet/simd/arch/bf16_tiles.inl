// The tile registers of AMX (Intel SDM volume 1, chapter 18). Instructions as text, with everything they read and write
// named: g++ 12 declares only 8 bytes of the configuration as read by its intrinsic and deletes the rest.
//
// The kernels use tmm0..tmm3 for sums (16 rows of 16 float32), tmm4 and tmm5 for A (16 rows of 32 bfloat16), tmm6 and
// tmm7 for B (16 pairs of 16 columns): every register is 16 rows of 64 bytes.

struct TileConfiguration {
  unsigned char palette = 1;
  unsigned char start_row = 0;
  unsigned char reserved[14] = {};
  unsigned short row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  unsigned char rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
static_assert(sizeof(TileConfiguration) == 64);

/// Configures the registers of the calling thread while it lives.
class TileScope {
 public:
  COUPLET_FORCE_INLINE TileScope() {
    const TileConfiguration configuration;
    asm volatile("ldtilecfg %0" : : "m"(configuration));
  }
  COUPLET_FORCE_INLINE ~TileScope() { asm volatile("tilerelease"); }
  TileScope(const TileScope&) = delete;
  TileScope& operator=(const TileScope&) = delete;
};

/// tmm<number> = 0
template <int number>
COUPLET_FORCE_INLINE void tile_zero() {
  asm volatile("tilezero %%tmm%c0" : : "i"(number));
}

/// tmm<number> = 16 rows of 64 bytes, `stride` bytes apart.
template <int number>
COUPLET_FORCE_INLINE void tile_load(const void* from, Index stride) {
  asm volatile("tileloadd (%1,%2,1), %%tmm%c0" : : "i"(number), "r"(from), "r"(stride) : "memory");
}

template <int number>
COUPLET_FORCE_INLINE void tile_store(void* to, Index stride) {
  asm volatile("tilestored %%tmm%c0, (%1,%2,1)" : : "i"(number), "r"(to), "r"(stride) : "memory");
}

/// tmm<sum> += tmm<a> tmm<b>
template <int sum, int a, int b>
COUPLET_FORCE_INLINE void tile_multiply() {
  asm volatile("tdpbf16ps %%tmm%c0, %%tmm%c1, %%tmm%c2" : : "i"(b), "i"(a), "i"(sum));
}
