static char help[] = "Draws random systems and options, solves them with petlap and with others, and tells what came out; tests/differential/run starts it.\n\
  -type NAME: schwarzschur, hsc, psdo or neural\n\
  -seed, -first, -cases, -seconds: which cases, one after the other\n\
  -case K: this one alone, with all that can be told of it\n\
  -families A,B; -matrices FOLDER; -most N: largest number of unknowns\n\
  -limit: seconds of processor time for a case\n\
  -record FILE: where lines about the cases are appended\n\
  -with OPTIONS: put behind the options of every case\n\n";

#include "tests/differential/cases.h"
#include <petlap.h>
#include <csignal>
#include <cstring>
#include <execinfo.h>
#include <fcntl.h>
#include <sys/time.h>
#include <unistd.h>

using namespace differential;

/* Lines are written at once, so that they are there when the next thing crashes */
static int      record = -1, myrank = 0;
static PetscInt current = -1;
static bool     talk    = false;

static void Write(const std::string &line)
{
  const std::string whole = line + "\n";

  if (record >= 0 && write(record, whole.data(), whole.size()) < 0) _exit(75);
}

static void Report(const char what[], const std::string &text)
{
  if (myrank == 0 && (!strcmp(what, "begin") || !strcmp(what, "peer") || (!strcmp(what, "solve") && text.empty()))) Write(std::string(what) + " " + std::to_string(current) + " " + text);
  if (talk && myrank == 0 && !text.empty()) printf("%s: %s\n", what, text.c_str());
  if (talk) fflush(stdout);
}

/* The case takes too long: nothing is left but to end, and to show where it was */
static void Overdue(int signal)
{
  static const char text[] = "overdue\n";
  void             *stack[60];

  (void)signal;
  if (record >= 0 && write(record, text, sizeof(text) - 1) < 0) _exit(75);
  if (talk) backtrace_symbols_fd(stack, backtrace(stack, 60), STDERR_FILENO);
  _exit(76);
}

/* Processor time, since other programs may slow everything down; and a longer time by the clock, for processes that wait */
static void Watch(double seconds, bool several)
{
  const struct itimerval timer = {{0, 0}, {(time_t)seconds, (suseconds_t)(1e6 * (seconds - std::floor(seconds)))}};

  setitimer(ITIMER_PROF, &timer, nullptr);
  alarm((unsigned)((several ? 3 : 10) * seconds));
}

/* After an error of some ranks the others may wait for ever, as in any program */
static PetscErrorCode Together(MPI_Comm comm, const CaseResult &result)
{
#if defined(PETSC_HAVE_MPIUNI)
  PetscFunctionBeginUser;
  (void)comm;
  (void)result;
#else
  const bool  error = result.verdict == HONEST && result.text.compare(0, 5, "error") == 0;
  MPI_Request request;
  int         done   = 0;
  double      waited = 0;

  PetscFunctionBeginUser;
  PetscCallMPI(MPI_Ibarrier(comm, &request));
  while (!done) {
    PetscCallMPI(MPI_Test(&request, &done, MPI_STATUS_IGNORE));
    if (done) break;
    usleep(200);
    waited += 200e-6;
    if (error && waited > 2) {
      Write("apart " + std::to_string(current) + " " + result.text);
      _exit(77);
    }
  }
#endif
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode Text(const char name[], std::string *value)
{
  char      text[4096];
  PetscBool set;

  PetscFunctionBeginUser;
  PetscCall(PetscOptionsGetString(NULL, NULL, name, text, sizeof(text), &set));
  if (set) *value = text;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode Parse(CaseNumbers *numbers, PetscInt *first, PetscInt *cases, PetscReal *seconds, PetscReal *limit)
{
  std::string type, families, folder, file;
  PetscInt    seed = 1, one = -1;

  PetscFunctionBeginUser;
  PetscCall(Text("-type", &type));
  PetscCall(Text("-families", &families));
  PetscCall(Text("-matrices", &folder));
  PetscCall(Text("-record", &file));
  PetscCall(Text("-with", &numbers->options));
  PetscCall(PetscOptionsGetInt(NULL, NULL, "-seed", &seed, NULL));
  PetscCall(PetscOptionsGetInt(NULL, NULL, "-first", first, NULL));
  PetscCall(PetscOptionsGetInt(NULL, NULL, "-cases", cases, NULL));
  PetscCall(PetscOptionsGetInt(NULL, NULL, "-case", &one, NULL));
  PetscCall(PetscOptionsGetInt(NULL, NULL, "-most", &numbers->most, NULL));
  PetscCall(PetscOptionsGetReal(NULL, NULL, "-seconds", seconds, NULL));
  PetscCall(PetscOptionsGetReal(NULL, NULL, "-limit", limit, NULL));
  PetscCheck(type == "schwarzschur" || type == "hsc" || type == "psdo" || type == "neural", PETSC_COMM_WORLD, PETSC_ERR_USER, "-type must be schwarzschur, hsc, psdo or neural");
  numbers->type = type[0];
  numbers->seed = (uint64_t)seed;
  for (size_t from = 0; from < families.size();) {
    const size_t to = std::min(families.find(',', from), families.size());

    numbers->families.push_back(families.substr(from, to - from));
    from = to + 1;
  }
  if (!folder.empty()) PetscCall(FileFamilies(folder, &numbers->files));
  if (one >= 0) {
    *first           = one;
    *cases           = 1;
    numbers->verbose = true;
  }
  if (!file.empty()) {
    record = open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT, 0644);
    PetscCheck(record >= 0, PETSC_COMM_WORLD, PETSC_ERR_FILE_OPEN, "Cannot write to %s", file.c_str());
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

int main(int argc, char **argv)
{
  CaseNumbers    numbers = {'s', 1, 0, 3000, {}, {}, false, ""};
  PetscInt       first = 0, cases = PETSC_MAX_INT;
  PetscReal      seconds = 1e9, limit = 10;
  PetscLogDouble start, before, now;
  int            worst = 0, ranks;

  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, NULL, help));
  PetscCall(PetlapInitialize());
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &myrank));
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &ranks));
  PetscCall(Parse(&numbers, &first, &cases, &seconds, &limit));
  talk = numbers.verbose;
  signal(SIGPROF, Overdue);
  signal(SIGALRM, Overdue);
  PetscCall(PetscTime(&start));
  for (PetscInt k = first; k - first < cases; k++) {
    CaseResult result;
    int        over;

    PetscCall(PetscTime(&before));
    over = before - start > seconds;
    PetscCallMPI(MPI_Bcast(&over, 1, MPI_INT, 0, PETSC_COMM_WORLD));
    if (over) break;
    current = numbers.number = k;
    Watch(limit, ranks > 1);
    if (!talk) PetscCall(PetscPushErrorHandler(RememberError, NULL));
    const PetscErrorCode code = RunCase(PETSC_COMM_WORLD, numbers, Report, &result);
    if (!talk) PetscCall(PetscPopErrorHandler());
    PetscCheck(!code, PETSC_COMM_SELF, PETSC_ERR_PLIB, "Case %" PetscInt_FMT " cannot be made: %s", k, LastError().c_str());
    PetscCall(Together(PETSC_COMM_WORLD, result));
    Watch(0, false);
    PetscCall(PetscTime(&now));
    worst = PetscMax(worst, (int)result.verdict);
    if (myrank == 0) {
      char time[64];

      snprintf(time, sizeof(time), "%.4f %d", (double)(now - before), (int)result.iterations);
      Write("end " + std::to_string(k) + " " + VerdictNames[result.verdict] + " " + (result.peer ? "peer" : "-") + " " + time + " " + result.text);
      if (talk) printf("%s\n%s: %s\n", result.line.c_str(), VerdictNames[result.verdict], result.text.c_str());
    }
  }
  if (myrank == 0) Write("finished");
  PetscCall(PetscFinalize());
  return worst == WRONG;
}
