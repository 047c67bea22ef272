/* A stand-in for NVIDIA's libnvidia-ml.so.1: the functions this program asks, for machines without a GPU.
 *
 * The file named by $NVML_STANDIN is read again at every call. Lines are `key value`; for one GPU
 * `gpuN.key value`, which beats the general key. Without the file, the driver is "not loaded".
 *
 *   count 2, driver 550.54.15, cuda 12040, name, uuid, bus 16 (PCI bus number)
 *   util (%), temp (C), power, power_limit (mW), clock, clock_max (MHz), reasons (bits), total, used (MiB)
 *   energy (mJ since the driver was loaded), cpus NA (mask of the logical CPUs near it, of 64 at most)
 *   pcie_tx, pcie_rx (KB/s), ecc_corrected, ecc_uncorrected 0 (errors since the driver was loaded)
 *   pcie_gen, pcie_gen_max (5), pcie_width, pcie_width_max (16), p2p 0 (status between GPUs; 5: not supported)
 *   capability 90, mig 0, slices 0, topology 30, links 0, link_to GPU (or `switch`), processes PID:MiB,...
 *   shares NA (PID:SM%,... of the processes that ran kernels since the last call)
 *   fail.FUNCTION CODE      that function returns this NVML error; `fail.all` every one of a GPU
 *   hang.FUNCTION 1         that function does not return as long as the line is there
 *   slow.FUNCTION MS        that function takes so many milliseconds longer
 *   abort.FUNCTION 1        that function aborts the process
 *
 * Every value may be NA: not supported (for processes' memory: not available).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OK = 0, INVALID = 2, UNSUPPORTED = 3, NOT_FOUND = 6, TOO_SMALL = 7, NOT_LOADED = 9, MOST = 32, SLICES = 8 };
typedef unsigned int uint;
typedef unsigned long long u64;
typedef struct { int gpu, slice; } device; /* slice -1: the whole GPU */

static device wholes[MOST], parts[MOST][SLICES];

static int find(const char *key, char *value) {
    char line[512], name[128];
    const char *path = getenv("NVML_STANDIN");
    FILE *file = path ? fopen(path, "r") : NULL;
    int found = 0;
    while (file && !found && fgets(line, sizeof line, file))
        found = sscanf(line, "%127s %255[^\n]", name, value) == 2 && !strcmp(name, key);
    if (file) fclose(file);
    return found;
}

static int get(int gpu, const char *key, const char *otherwise, char *value) {
    char own[160];
    snprintf(own, sizeof own, "gpu%d.%s", gpu, key);
    if (!(gpu >= 0 && find(own, value)) && !find(key, value)) strcpy(value, otherwise);
    return strcmp(value, "NA") ? OK : UNSUPPORTED;
}

static int number(int gpu, const char *key, const char *otherwise, uint *out) {
    char value[256];
    int rc = get(gpu, key, otherwise, value);
    if (!rc) *out = (uint)strtoul(value, NULL, 0);
    return rc;
}

static int fault(const char *function, int gpu) {
    char key[128], value[256];
    snprintf(key, sizeof key, "hang.%s", function);
    while (!get(gpu, key, "NA", value)) usleep(20000);
    snprintf(key, sizeof key, "slow.%s", function);
    if (!get(gpu, key, "NA", value)) usleep((useconds_t)atoi(value) * 1000);
    snprintf(key, sizeof key, "abort.%s", function);
    if (!get(gpu, key, "NA", value)) abort();
    snprintf(key, sizeof key, "fail.%s", function);
    if (get(gpu, key, "NA", value) && (gpu < 0 || get(gpu, "fail.all", "NA", value))) return OK;
    return atoi(value);
}

#define SYSTEM() do { int rc_ = fault(__func__, -1); if (rc_) return rc_; } while (0)
#define DEVICE() int g = ((device *)d)->gpu, part = ((device *)d)->slice; \
    do { (void)part; int rc_ = fault(__func__, g); if (rc_) return rc_; } while (0)
#define WHOLE() DEVICE(); do { if (part >= 0) return UNSUPPORTED; } while (0)
#define NUMBER(function, key, otherwise) int function(void *d, uint *out) { WHOLE(); return number(g, key, otherwise, out); }

static uint count(void) { uint n = 0; number(-1, "count", "2", &n); return n > MOST ? MOST : n; }

static int identity(int gpu, int slice, char *uuid) {
    char otherwise[64], value[256];
    snprintf(otherwise, sizeof otherwise, "GPU-%08x-0000-4000-8000-000000000000", 0xa0 + gpu);
    int rc = get(gpu, "uuid", otherwise, value);
    if (slice < 0) strcpy(uuid, value);
    else snprintf(uuid, 96, "MIG-%08x-%04x-5000-8000-000000000000", 0xb0 + gpu, slice);
    return rc;
}

int nvmlInitWithFlags(uint flags) {
    (void)flags;
    if (!getenv("NVML_STANDIN") || access(getenv("NVML_STANDIN"), R_OK)) return NOT_LOADED;
    for (int g = 0; g < MOST; g++) {
        wholes[g] = (device){g, -1};
        for (int s = 0; s < SLICES; s++) parts[g][s] = (device){g, s};
    }
    return fault(__func__, -1);
}
int nvmlShutdown(void) { return OK; }
const char *nvmlErrorString(int code) { (void)code; return "an error of the stand-in"; }

int nvmlSystemGetDriverVersion(char *out, uint size) { (void)size; SYSTEM(); return get(-1, "driver", "550.54.15", out); }
int nvmlSystemGetCudaDriverVersion_v2(int *out) { SYSTEM(); return number(-1, "cuda", "12040", (uint *)out); }
int nvmlDeviceGetCount_v2(uint *out) { SYSTEM(); *out = count(); return OK; }
int nvmlDeviceGetHandleByIndex_v2(uint index, void **out) {
    int rc = fault(__func__, (int)index);
    if (rc) return rc;
    if (index >= count()) return INVALID;
    *out = &wholes[index];
    return OK;
}
int nvmlDeviceGetHandleByUUID(const char *uuid, void **out) {
    char own[256];
    for (int g = 0; g < (int)count(); g++)
        for (int s = -1; s < SLICES; s++)
            if (!identity(g, s, own) && !strcmp(own, uuid)) {
                *out = s < 0 ? &wholes[g] : &parts[g][s];
                return fault(__func__, g);
            }
    return NOT_FOUND;
}
int nvmlDeviceGetUUID(void *d, char *out, uint size) { (void)size; DEVICE(); return identity(g, part, out); }
int nvmlDeviceGetName(void *d, char *out, uint size) {
    char name[256];
    DEVICE();
    int rc = get(g, "name", "NVIDIA Stand-in", name);
    if (!rc) snprintf(out, size, part < 0 ? "%s" : "%s MIG 1g.10gb", name);
    return rc;
}
static int pci(uint bus, void *out) {
    struct { char legacy[16]; uint domain, bus, device, id, subsystem; char id_text[32]; } *info = out;
    memset(info, 0, sizeof *info);
    info->bus = bus;
    return OK;
}
static uint bus_of(int gpu) {
    char otherwise[16];
    uint bus = 0;
    snprintf(otherwise, sizeof otherwise, "%d", 16 + gpu);
    number(gpu, "bus", otherwise, &bus);
    return bus;
}
int nvmlDeviceGetPciInfo_v3(void *d, void *out) { DEVICE(); return pci(bus_of(g), out); }
int nvmlDeviceGetCudaComputeCapability(void *d, int *major, int *minor) {
    uint both = 0;
    WHOLE();
    int rc = number(g, "capability", "90", &both);
    *major = (int)both / 10, *minor = (int)both % 10;
    return rc;
}

static int memory(int gpu, u64 *total, u64 *used) {
    uint all = 0, taken = 0;
    int rc = number(gpu, "total", "81920", &all);
    if (!rc) rc = number(gpu, "used", "4", &taken);
    *total = (u64)all << 20, *used = (u64)taken << 20;
    return rc;
}
int nvmlDeviceGetMemoryInfo(void *d, u64 *out) { /* total, free, used with what the driver reserves */
    DEVICE();
    int rc = memory(g, &out[0], &out[2]);
    out[2] += 512ull << 20, out[1] = out[0] - out[2];
    return rc;
}
int nvmlDeviceGetMemoryInfo_v2(void *d, void *out) {
    struct { uint version; u64 total, reserved, free, used; } *info = out;
    DEVICE();
    return memory(g, &info->total, &info->used);
}
int nvmlDeviceGetUtilizationRates(void *d, uint *out) { out[1] = 0; WHOLE(); return number(g, "util", "50", out); }
int nvmlDeviceGetTemperature(void *d, uint sensor, uint *out) { (void)sensor; WHOLE(); return number(g, "temp", "40", out); }
int nvmlDeviceGetCpuAffinity(void *d, uint words, u64 *out) {
    char value[256];
    WHOLE();
    int rc = get(g, "cpus", "NA", value);
    memset(out, 0, words * sizeof *out);
    if (!rc) out[0] = strtoull(value, NULL, 0);
    return rc;
}
NUMBER(nvmlDeviceGetPowerUsage, "power", "250500")
NUMBER(nvmlDeviceGetEnforcedPowerLimit, "power_limit", "700000")
int nvmlDeviceGetTotalEnergyConsumption(void *d, u64 *out) {
    char value[256];
    WHOLE();
    int rc = get(g, "energy", "5000000000", value);
    if (!rc) *out = strtoull(value, NULL, 0);
    return rc;
}
int nvmlDeviceGetClockInfo(void *d, uint kind, uint *out) { (void)kind; WHOLE(); return number(g, "clock", "1500", out); }
int nvmlDeviceGetMaxClockInfo(void *d, uint kind, uint *out) { (void)kind; WHOLE(); return number(g, "clock_max", "1980", out); }
NUMBER(nvmlDeviceGetCurrPcieLinkGeneration, "pcie_gen", "5")
NUMBER(nvmlDeviceGetMaxPcieLinkGeneration, "pcie_gen_max", "5")
NUMBER(nvmlDeviceGetCurrPcieLinkWidth, "pcie_width", "16")
NUMBER(nvmlDeviceGetMaxPcieLinkWidth, "pcie_width_max", "16")
int nvmlDeviceGetPcieThroughput(void *d, uint kind, uint *out) { /* KB/s */
    WHOLE();
    return number(g, kind ? "pcie_rx" : "pcie_tx", kind ? "3000" : "2000", out);
}
int nvmlDeviceGetTotalEccErrors(void *d, uint kind, uint since, u64 *out) {
    uint errors = 0;
    WHOLE();
    int rc = since ? INVALID : number(g, kind ? "ecc_uncorrected" : "ecc_corrected", "0", &errors);
    *out = errors;
    return rc;
}
static int reasons(int gpu, u64 *out) { uint bits = 0; int rc = number(gpu, "reasons", "0", &bits); *out = bits; return rc; }
int nvmlDeviceGetCurrentClocksEventReasons(void *d, u64 *out) { WHOLE(); return reasons(g, out); }
int nvmlDeviceGetCurrentClocksThrottleReasons(void *d, u64 *out) { WHOLE(); return reasons(g, out); }

int nvmlDeviceGetComputeRunningProcesses_v3(void *d, uint *many, void *out) {
    struct { uint pid; u64 memory; uint instance, compute; } *list = out;
    char value[256], *rest = NULL;
    uint found = 0;
    DEVICE();
    int rc = get(g, "processes", "", value);
    if (rc) return rc;
    for (char *item = strtok_r(value, ",", &rest); item; item = strtok_r(NULL, ",", &rest), found++) {
        if (!list || found >= *many) continue;
        const char *size = strchr(item, ':') + 1;
        list[found].pid = (uint)atoi(item);
        list[found].memory = strcmp(size, "NA") ? strtoull(size, NULL, 10) << 20 : ~0ull;
    }
    rc = found > *many ? TOO_SMALL : OK;
    *many = found;
    return rc;
}

int nvmlDeviceGetProcessUtilization(void *d, void *out, uint *many, u64 since) {
    struct { uint pid; u64 at; uint sm, memory, encoder, decoder; } *list = out;
    char value[256], *rest = NULL;
    uint found = 0;
    WHOLE();
    int rc = get(g, "shares", "NA", value);
    if (rc) return rc;
    for (char *item = strtok_r(value, ",", &rest); item; item = strtok_r(NULL, ",", &rest), found++) {
        if (!list || found >= *many) continue;
        list[found].pid = (uint)atoi(item);
        list[found].at = since + 1;
        list[found].sm = (uint)atoi(strchr(item, ':') + 1);
    }
    rc = !found ? NOT_FOUND : !list || found > *many ? TOO_SMALL : OK;
    *many = found;
    return rc;
}

int nvmlDeviceGetMigMode(void *d, uint *now, uint *later) { WHOLE(); *later = 0; return number(g, "mig", "0", now); }
int nvmlDeviceGetEccMode(void *d, uint *now, uint *later) { WHOLE(); *later = 1; return number(g, "ecc", "1", now); }
NUMBER(nvmlDeviceGetPersistenceMode, "persistence", "0")
NUMBER(nvmlDeviceGetMaxMigDeviceCount, "slices_max", "7")
int nvmlDeviceGetMigDeviceHandleByIndex(void *d, uint index, void **out) {
    uint slices = 0;
    WHOLE();
    number(g, "slices", "0", &slices);
    if (index >= slices) return NOT_FOUND;
    *out = &parts[g][index];
    return OK;
}
int nvmlDeviceGetDeviceHandleFromMigDeviceHandle(void *d, void **out) { DEVICE(); *out = &wholes[g]; return OK; }
int nvmlDeviceGetGpuInstanceId(void *d, uint *out) { DEVICE(); *out = (uint)part + 7; return OK; }
int nvmlDeviceGetComputeInstanceId(void *d, uint *out) { DEVICE(); *out = 0; return OK; }

static int linked(int gpu, uint link, char *end) {
    uint links = 0;
    int rc = number(gpu, "links", "0", &links);
    if (!rc) rc = get(gpu, "link_to", "switch", end);
    return rc ? rc : link < links ? OK : INVALID;
}
int nvmlDeviceGetNvLinkState(void *d, uint link, uint *out) { char end[256]; WHOLE(); *out = 1; return linked(g, link, end); }
int nvmlDeviceGetNvLinkRemoteDeviceType(void *d, uint link, uint *out) {
    char end[256];
    WHOLE();
    int rc = linked(g, link, end);
    *out = rc || strcmp(end, "switch") ? 0 : 2;
    return rc;
}
int nvmlDeviceGetNvLinkRemotePciInfo_v2(void *d, uint link, void *out) {
    char end[256];
    WHOLE();
    int rc = linked(g, link, end);
    return rc ? rc : pci(bus_of(atoi(end)), out);
}
int nvmlDeviceGetTopologyCommonAncestor(void *d, void *other, uint *out) {
    (void)other;
    WHOLE();
    return number(g, "topology", "30", out);
}
int nvmlDeviceGetP2PStatus(void *d, void *other, uint capability, uint *out) {
    (void)other;
    WHOLE();
    return capability ? INVALID : number(g, "p2p", "0", out); /* 0: reading */
}
