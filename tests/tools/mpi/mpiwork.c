/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An MPI program for guests: mpiwork check BYTES | fail RANK STATUS | abort RANK STATUS | wait FILE | pingpong BYTES ROUNDS
 * Compiled by the tests that need it, with mpicc.
 */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int rank, size;

static void wrong(const char *what)
{
	fprintf(stderr, "mpiwork: rank %d: %s\n", rank, what);
	MPI_Abort(MPI_COMM_WORLD, 99);
}

/* A token goes around and everybody adds its rank. */
static long ring(void)
{
	long token = 0;

	if (size == 1)
		return 0;
	if (rank > 0)
		MPI_Recv(&token, 1, MPI_LONG, rank - 1, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
	token += rank;
	MPI_Send(&token, 1, MPI_LONG, (rank + 1) % size, 1, MPI_COMM_WORLD);
	if (rank == 0)
		MPI_Recv(&token, 1, MPI_LONG, size - 1, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
	return token;
}

static unsigned char byte_of(int from, size_t at)
{
	return (unsigned char)(at * 31 + at / 251 + (size_t)from * 7 + 1);
}

/* Everybody sends so many bytes to the next and looks at each that came. */
static void exchange(size_t bytes)
{
	unsigned char *out = malloc(bytes + 1), *in = calloc(1, bytes + 1);
	int to = (rank + 1) % size, from = (rank + size - 1) % size;

	if (!out || !in)
		wrong("no memory");
	for (size_t i = 0; i < bytes; i++)
		out[i] = byte_of(rank, i);
	MPI_Sendrecv(out, (int)bytes, MPI_BYTE, to, 2, in, (int)bytes, MPI_BYTE, from, 2, MPI_COMM_WORLD,
		MPI_STATUS_IGNORE);
	for (size_t i = 0; i < bytes; i++)
		if (in[i] != byte_of(from, i))
			wrong("a byte of a message is another");
	free(out);
	free(in);
}

static void check(size_t bytes)
{
	char node[MPI_MAX_PROCESSOR_NAME];
	long sum = 0, mine = rank + 1, token = ring();
	int local, length;
	MPI_Comm shared;

	MPI_Allreduce(&mine, &sum, 1, MPI_LONG, MPI_SUM, MPI_COMM_WORLD);
	exchange(bytes);
	MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &shared);
	MPI_Comm_size(shared, &local);
	MPI_Get_processor_name(node, &length);
	if (rank == 0)
		printf("size %d local %d ring %ld sum %ld bytes %zu\n", size, local, token, sum, bytes);
	MPI_Comm_free(&shared);
}

/* Half the time of a message there and back, in microseconds, the least of many. */
static void pingpong(size_t bytes, int rounds)
{
	char *buffer = calloc(1, bytes + 1);
	double least = 1e9;

	if (!buffer || size != 2)
		wrong("two ranks are needed");
	for (int i = 0; i < rounds; i++) {
		double begin = MPI_Wtime(), took;

		if (rank == 0)
			MPI_Send(buffer, (int)bytes, MPI_BYTE, 1, 3, MPI_COMM_WORLD);
		MPI_Recv(buffer, (int)bytes, MPI_BYTE, 1 - rank, 3, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
		if (rank == 1)
			MPI_Send(buffer, (int)bytes, MPI_BYTE, 0, 3, MPI_COMM_WORLD);
		took = (MPI_Wtime() - begin) / 2;
		least = took < least ? took : least;
	}
	if (rank == 0)
		printf("%zu %.3f\n", bytes, least * 1e6);
	free(buffer);
}

/* A file for each rank says that it is there; then all wait for a message that nobody sends. */
static void wait_for_ever(const char *prefix)
{
	char name[4096];
	FILE *f;
	int nothing;

	snprintf(name, sizeof(name), "%s.%d", prefix, rank);
	f = fopen(name, "w");
	if (!f || fprintf(f, "%ld\n", (long)getpid()) < 0 || fclose(f) != 0)
		wrong("cannot write");
	MPI_Recv(&nothing, 1, MPI_INT, MPI_ANY_SOURCE, 4, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
}

int main(int argc, char **argv)
{
	const char *verb = argc > 2 ? argv[1] : "";
	long first = argc > 2 ? strtol(argv[2], NULL, 10) : 0,
	     second = argc > 3 ? strtol(argv[3], NULL, 10) : 0;

	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &size);
	if (strcmp(verb, "check") == 0)
		check((size_t)first);
	else if (strcmp(verb, "pingpong") == 0)
		pingpong((size_t)first, (int)second);
	else if (strcmp(verb, "wait") == 0)
		wait_for_ever(argv[2]);
	if (strcmp(verb, "fail") == 0) /* not while others still connect: they would fail of that */
		MPI_Barrier(MPI_COMM_WORLD);
	if (strcmp(verb, "abort") == 0 && rank == first)
		MPI_Abort(MPI_COMM_WORLD, (int)second);
	else if (strcmp(verb, "fail") == 0 && rank == first)
		exit((int)second);
	else if (strcmp(verb, "abort") == 0 || strcmp(verb, "fail") == 0)
		MPI_Barrier(MPI_COMM_WORLD);
	MPI_Finalize();
	return 0;
}
